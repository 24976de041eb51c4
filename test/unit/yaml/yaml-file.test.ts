import { describe, expect, test } from 'vitest';
import { parseYaml, readYamlFile, type YamlFile } from '../../../core/yaml/index.ts';

function findingsOf(text: string | Buffer): string[] {
  const result = parseYaml('/x/a.yaml', Buffer.from(text as string));
  if (result.ok) return [];
  return result.findings.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

function parsed(text: string): YamlFile {
  const result = parseYaml('/x/a.yaml', Buffer.from(text));
  if (!result.ok) throw new Error(result.findings.map(({ message }) => message).join());
  return result.file;
}

/** Nine lists, each of nine of the list before: 9^9 items when written out. */
const aliasBomb = [
  'a: &a [x, x, x, x, x, x, x, x, x]',
  ...'bcdefghi'.split('').map((name, index) => {
    const before = 'abcdefgh'[index] ?? '';
    return `${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(', ')}]`;
  }),
].join('\n');

describe('a YAML file', () => {
  test.each<[string, string | Buffer, string]>([
    ['empty', '', '1:1 the file is empty'],
    ['only comments', '# a\n# b\n', '1:1 the file is empty'],
    ['two documents', 'a: 1\n---\nb: 2', '2:1 only one YAML document is allowed'],
    ['a key twice', 'a:\n  b: 1\n  b: 2', '3:3 the key "b" appears twice'],
    ['an unknown tag', 'a: !!js/function x', '1:4 Unresolved tag: tag:yaml.org,2002:js/function'],
    ['a tab', 'a:\n\t- b', '2:1 Tabs are not allowed as indentation'],
    ['no UTF-8', Buffer.from([0x61, 0x3a, 0x20, 0xff]), '1:1 the file is not UTF-8 text'],
    [
      'too large',
      `a: ${'x'.repeat(1024 * 1024)}`,
      '1:1 the file has 1048579 bytes; 1048576 are allowed',
    ],
    ['a number as key', '1: x', '1:1 a key must be text. Put 1 in quotes.'],
    ['a list as key', '? [a]\n: x', '1:3 a key must be text.'],
    ['an alias bomb', aliasBomb, '1:1 aliases multiply the file; 100 are allowed'],
    ['an alias of nothing', 'a: *b', '1:4 the alias *b has no anchor before it'],
    ['an alias of itself', 'a: &x\n  b: *x', '2:6 the alias *x is inside its own anchor'],
    [
      'a prototype key',
      'a:\n  - { __proto__: { x: 1 } }',
      '2:7 the key "__proto__" is not allowed anywhere in a file',
    ],
    [
      'a quoted prototype key',
      '"constructor": 1',
      '1:1 the key "constructor" is not allowed anywhere in a file',
    ],
  ])('with %s is refused with its place', (_, text, expected) => {
    expect(findingsOf(text)).toEqual([expected]);
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  test.each([
    '['.repeat(100_000),
    '['.repeat(500) + ']'.repeat(500),
    '{a: '.repeat(10_000),
    '- '.repeat(5_000),
    '? '.repeat(5_000),
    Array.from({ length: 70 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
  ])('nested beyond reason is refused, not a crash (%#)', (text) => {
    expect(findingsOf(text)[0]).toMatch(/nested too deeply|must be text/);
  });

  test('with sixty thousand keys is read without comparing each with each', () => {
    const text = Array.from({ length: 60_000 }, (_, index) => `k${index}: ${index}`).join('\n');
    expect(Object.keys(parsed(text).value as object)).toHaveLength(60_000);
  });

  test('with many faults tells the first twenty', () => {
    expect(findingsOf('constructor: 1\n'.repeat(500))).toHaveLength(20);
  });

  test('follows YAML 1.2: no stays a text, and << is a key like any other', () => {
    expect(parsed('a: no\nb: 0o17\nc: 1_000\n<<: { d: 1 }').value).toEqual({
      a: 'no',
      b: 15,
      c: '1_000',
      '<<': { d: 1 },
    });
  });

  test('that cannot be read is a finding, not an exception', () => {
    const result = readYamlFile('/nowhere/a.yaml');
    expect(result.ok ? [] : result.findings[0]?.message).toMatch(/^cannot be read: ENOENT/);
  });
});

describe('places', () => {
  const file = parsed(
    "p: 'Hi {{x}}'\nq: >\n\n    folded\n  \nr: [a, &n {b: c}]\ns: *n\nt: |-\n  one\n",
  );

  test('are those of values, keys, and of what an alias stands for', () => {
    expect(file.placeOf(['r', 1, 'b'])).toEqual({ line: 6, column: 15 });
    expect(file.keyPlaceOf(['r', 1, 'b'])).toEqual({ line: 6, column: 12 });
    expect(file.placeOf(['s', 'b'])).toEqual({ line: 6, column: 15 });
  });

  test('of what is not there are those of the nearest parent', () => {
    expect(file.placeOf(['r', 7, 'x'])).toEqual({ line: 6, column: 4 });
    expect(file.placeOf(['none'])).toEqual({ line: 1, column: 1 });
  });

  test('of texts are where their first line begins', () => {
    expect(file.textPlaceOf(['p'])).toEqual({ line: 1, indent: 4 });
    expect(file.textPlaceOf(['q'])).toEqual({ line: 3, indent: 4 });
    expect(file.textPlaceOf(['t'])).toEqual({ line: 9, indent: 2 });
  });
});
