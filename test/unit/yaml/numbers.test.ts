/** Numbers that were written come out as they were, or are refused by name, on every way in and out. */

import { expect, test } from 'vitest';
import { schemaChecker } from '../../../core/agent/index.ts';
import { convertFlag } from '../../../core/agent/input/flags.ts';
import { readJsonLines } from '../../../core/cli/input/json-lines.ts';
import { parseAssignment, readDataObject } from '../../../core/cli/input/values.ts';
import { isKept, isMultipleOf, parseYaml, readJson } from '../../../core/yaml/index.ts';
import { compileProbe, job, manifest } from '../agent/agent-folder.ts';

const kept = [
  '0',
  '-0',
  '1',
  '1.0',
  '100',
  '1e2',
  '1E+2',
  '0.1',
  '19.99',
  '9007199254740991',
  '9007199254740992',
  '12345678901234567000',
  '1e300',
  '5e-324',
  '0.30000000000000004',
  '1.7976931348623157e308',
  '0x1F',
];
const lost = [
  '9007199254740993',
  '-9007199254740993',
  '2512292042121000001',
  '1e400',
  '-1e400',
  '1e-400',
  '0.1234567890123456789',
  '9007199254740993.0',
  '900719925474099.3e1',
  '0x20000000000001',
];

test.each(kept)('%s is kept', (text) => expect(isKept(text)).toBe(true));
test.each(lost)('%s would become another number', (text) => expect(isKept(text)).toBe(false));

const decimals = lost.filter((text) => !text.startsWith('0x'));

test('a text of JSON tells each of them with its place, in strings they are texts', () => {
  const items = decimals.map((text, index) => `{"a":{"b":[1,${text}]},"i":${index},"s":"${text}"}`);
  const { lost: found } = readJson(`[${items.join(',')}]`);
  expect(found).toEqual(decimals.map((text, i) => ({ path: [`${i}`, 'a', 'b', '1'], text })));
});

const flag = {
  property: 'id',
  flag: 'id',
  aliases: [],
  type: 'integer',
  itemType: null,
  enum: null,
  default: undefined,
  description: '',
  required: true,
  fromFile: false,
} as const;

async function linesOf(text: string) {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(text);
  }
  const found = [];
  const options = { agent: 'a', lineBytesMax: 1000 };
  for await (const line of readJsonLines(chunks(), options)) found.push(line);
  return found;
}

test.each(decimals)('%s is refused by name on every way in', async (text) => {
  const [id, named] = [`{"id":${text}}`, /\bid\b.*in quotes/s];
  expect(convertFlag(flag, [text])).toMatchObject({ problems: [{ property: 'id' }] });
  expect(convertFlag({ ...flag, type: 'object' }, [id])).toMatchObject({
    problems: [{ property: 'id.id' }],
  });
  expect(() => parseAssignment(`id:=${text}`)).toThrowError(named);
  expect(() => parseAssignment(`x:=${id}`)).toThrowError(named);
  await expect(readDataObject(id, 1000)).rejects.toThrowError(named);
  expect(await linesOf(id)).toEqual([{ line: 1, problem: expect.stringMatching(named) }]);
  expect(parseYaml('x.yaml', Buffer.from(`a: 1\nid: ${text}\n`))).toMatchObject({
    ok: false,
    findings: [{ line: 2, column: 5, message: expect.stringContaining(text) }],
  });
});

test('neighbours of the largest integer are not one job', async () => {
  const lines = await linesOf('{"id":9007199254740993}\n{"id":9007199254740992}\n');
  expect(lines).toMatchObject([
    { problem: expect.any(String) },
    { input: { id: 9_007_199_254_740_992 } },
  ]);
});

test('a number that JSON cannot hold is refused in YAML', () => {
  for (const text of ['.inf', '-.inf', '.nan']) {
    expect(parseYaml('x.yaml', Buffer.from(`a: ${text}\n`)).ok).toBe(false);
  }
});

test.each([
  [19.99, 0.01, true],
  [143.48, 0.01, true],
  [0.94, 0.01, true],
  [123_456_789_012.34, 0.01, true],
  [1e300, 1e-300, true],
  [9, 3, true],
  [-4.35, 0.05, true],
  [0, 0.1, true],
  [19.999, 0.01, false],
  [19.990000001, 0.01, false],
  [1, 0.3, false],
  [1, 0, false],
])('%d is a multiple of %d: %s', async (value, multipleOf, expected) => {
  expect(isMultipleOf(value, multipleOf)).toBe(expected);
  const check = await schemaChecker({
    type: 'object',
    properties: { price: { type: 'number', multipleOf } },
  });
  expect(check({ price: value })).toMatchObject(
    expected
      ? { ok: true }
      : { problems: [{ property: 'price', message: `${value} is no multiple of ${multipleOf}` }] },
  );
});

const answer =
  '{"id": 9007199254740993, "price": 1e400, "list": [{"n": 0.1234567890123456789}], "one": 1}';
const json = (...lines: string[]): string =>
  manifest('output:', '  format: json', ...lines.map((line) => `  ${line}`));

test('an answer is written with the numbers that the model wrote', async () => {
  const agent = await compileProbe(json());
  const [file] = agent.renderOutput(answer, { text: 'x' }, job);
  expect(file?.content.replaceAll(/\s/g, '')).toBe(answer.replaceAll(/\s/g, ''));
});

test.each(["template: '{{output.id}}'", "file: '{{output.id}}.json'"])(
  'it goes back by name where it would have to go through ours: %s',
  async (line) => {
    const agent = await compileProbe(json(line));
    expect(() => agent.renderOutput(answer, { text: 'x' }, job)).toThrowError(
      expect.objectContaining({
        code: 'output_invalid',
        message: expect.stringMatching(/^id 9007.*list\.0\.n/),
      }),
    );
  },
);

test('a format that takes quadratic time is given up in time', async () => {
  const check = await schemaChecker({
    type: 'object',
    properties: { link: { type: 'string', format: 'url' } },
  });
  const result = check({ link: `http://${'a.'.repeat(150_000)}` });
  expect(result).toMatchObject({ ok: false });
});

test('hostile numbers are read in time', () => {
  const zeros = '0'.repeat(1_000_000);
  for (const text of [`1${zeros}1`, `0.${zeros}1`, `1e${zeros}9`, `1e9${zeros}`]) {
    expect(readJson(`[${text}]`).lost).toHaveLength(1);
  }
});
