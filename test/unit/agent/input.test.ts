import { describe, expect, test } from 'vitest';
import {
  convertFlag,
  flaglessProperties,
  type InputProblem,
  inputChecker,
  type JsonObject,
  loadAgent,
  schemaFlags,
} from '../../../core/agent/index.ts';
import { loadProbe, manifest } from './agent-folder.ts';

async function check(
  properties: JsonObject,
  input: unknown,
  rest: JsonObject = {},
): Promise<readonly string[] | JsonObject> {
  const schema = { type: 'object', additionalProperties: false, properties, ...rest };
  const agent = await loadProbe(manifest(`input: { schema: ${JSON.stringify(schema)} }`));
  const result = (await inputChecker(agent))(input);
  return result.ok ? result.input : result.problems.map(line);
}

const line = ({ property, message }: InputProblem): string => `${property}  ${message}`;

describe('an input', () => {
  test.each([
    'toString',
    'toLocaleString',
    'valueOf',
    'hasOwnProperty',
    'isPrototypeOf',
    'propertyIsEnumerable',
  ])('may have a property named like the method %s of every object', async (name) => {
    const properties = {
      [name]: { type: 'string' },
      nested: { type: 'object', required: [name], properties: { [name]: {} } },
    };
    expect(await check(properties, {})).toEqual({});
    expect(await check(properties, { [name]: 'mine' })).toEqual({ [name]: 'mine' });
    expect(await check(properties, {}, { required: [name] })).toEqual([`${name}  is required`]);
    expect(await check(properties, { nested: {} })).toEqual([`nested.${name}  is required`]);
  });

  test('is told everything that is wrong with it, with value, limit and the nearest word', async () => {
    const checkInput = await inputChecker(await loadAgent('summarize', []));
    const result = checkInput({ style: 'bulet', points: 99, stile: 'x', words: '12' });
    expect(result.ok).toBe(false);
    expect(result.ok ? [] : result.problems.map(line).sort()).toEqual([
      'points  99 is over the maximum of 20',
      'stile  unknown property. Did you mean style?',
      'style  "bulet" is not one of bullet, prose. Did you mean bullet?',
      'text  is required',
      'words  "12" is not a whole number',
    ]);
  });

  test('gets defaults in a copy; the value that was given stays as it is', async () => {
    const given = Object.freeze({ a: Object.freeze({ b: 1 }) });
    const properties = {
      a: { type: 'object', properties: { b: { type: 'integer' }, c: { default: 2 } } },
      d: { type: 'string', default: 'x' },
    };
    expect(await check(properties, given)).toEqual({ a: { b: 1, c: 2 }, d: 'x' });
    expect(given).toEqual({ a: { b: 1 } });
  });

  test.each<[JsonObject, unknown, string]>([
    [{ type: 'string', minLength: 3 }, 'ab', 'v  "ab" is 2 long; at least 3 characters are needed'],
    [{ type: 'string', minLength: 1 }, '', 'v  is empty'],
    [
      { type: 'string', maxLength: 1 },
      '😀😀',
      'v  "😀😀" is 2 long; at most 1 characters are allowed',
    ],
    [{ type: 'string', pattern: '^a+$' }, 'b', 'v  "b" does not match ^a+$'],
    [{ type: 'string', pattern: '^a+$', examples: ['aa'] }, 'b', 'v  "b" is not of the form aa'],
    [{ type: 'string', format: 'email' }, 'me', 'v  "me" is not a valid email'],
    [{ type: 'string', format: 'date' }, '2026-02-30', 'v  "2026-02-30" is not a valid date'],
    [{ type: 'number', exclusiveMinimum: 0 }, 0, 'v  0 is not above 0'],
    [{ type: 'number', multipleOf: 5 }, 7, 'v  7 is no multiple of 5'],
    [{ type: 'boolean' }, 'yes', 'v  "yes" is not true or false'],
    [{ const: 'x' }, 'y', 'v  "y" is not "x"'],
    [{ enum: [1, 2] }, 3, 'v  3 is not one of 1, 2'],
    [{ type: ['string', 'null'] }, 1, 'v  1 is not text or null'],
    [{ type: 'array', items: { type: 'integer' } }, [1, 'b'], 'v.1  "b" is not a whole number'],
    [{ type: 'array', maxItems: 1, items: {} }, [1, 2], 'v  has 2 items; at most 1 are allowed'],
    [
      { type: 'array', uniqueItems: true, items: {} },
      [1, 1],
      'v  items 0 and 1 are equal; each may appear once',
    ],
    [{ type: 'object', required: ['k'], properties: { k: {} } }, {}, 'v.k  is required'],
    [
      { anyOf: [{ type: 'string', maxLength: 1 }, { type: 'null' }] },
      'ab',
      'v  "ab" is 2 long; at most 1 characters are allowed',
    ],
    [{ anyOf: [{ type: 'string' }, { type: 'null' }] }, 1, 'v  1 fits none of the allowed forms'],
    [{ type: 'integer' }, 'x'.repeat(500), `v  "${'x'.repeat(58)}… is not a whole number`],
  ])('for %j, %j is refused as: %s', async (schema, value, expected) => {
    expect(await check({ v: schema }, { v: value })).toEqual([expected]);
  });

  const hidden = 'S3CRETVALUE99';
  const secret = { writeOnly: true };
  test.each<[string, JsonObject, unknown, JsonObject?]>([
    ['writeOnly', { v: { ...secret, type: 'string', pattern: '^a' } }, { v: hidden }],
    ['x-aiq', { v: { 'x-aiq': { secret: true }, enum: ['a'] } }, { v: hidden }],
    ['of another type', { v: { ...secret, type: 'integer' } }, { v: hidden }],
    ['too long', { v: { ...secret, type: 'string', maxLength: 3 } }, { v: hidden }],
    [
      'inside an object that is secret',
      { v: { ...secret, type: 'object', properties: { a: { type: 'number' } } } },
      { v: { a: hidden } },
    ],
    [
      'the name of a property in there',
      { v: { ...secret, type: 'object', propertyNames: { maxLength: 3 } } },
      { v: { [hidden]: 1 } },
    ],
    ['in a list', { v: { type: 'array', items: { ...secret, type: 'null' } } }, { v: [hidden] }],
    [
      'in a value that is itself wrong',
      { v: { type: 'object', properties: { a: secret }, enum: [{}] } },
      { v: { a: hidden } },
    ],
    [
      'behind a reference',
      { v: { $ref: '#/$defs/s' } },
      { v: hidden },
      { $defs: { s: { ...secret, type: 'null' } } },
    ],
    [
      'in a branch',
      { v: { anyOf: [{ ...secret, type: 'null' }, { type: 'number' }] } },
      { v: hidden },
    ],
    ['where the whole input fits none', { v: secret }, { v: hidden }, { not: { type: 'object' } }],
    [
      'by a pattern of names',
      {},
      { 'v-x': hidden },
      { additionalProperties: true, patternProperties: { '^v': { ...secret, type: 'null' } } },
    ],
  ])('that is secret is in no problem: %s', async (_, properties, input, rest = {}) => {
    const problems = await check(properties, input, rest);
    expect(problems).not.toEqual(input);
    expect(JSON.stringify(problems)).not.toContain(hidden.slice(0, 6));
    expect(JSON.stringify(problems)).toContain('v');
  });

  test.each([null, [], 'text', 5, undefined])('%j is no input', async (value) => {
    expect(await check({}, value)).toHaveLength(1);
  });

  test.each(['__proto__', 'constructor', 'prototype'])('cannot carry the key %s', async (key) => {
    const input: unknown = JSON.parse(`{"deep": [{"${key}": {"polluted": true}}]}`);
    const found = await check({ deep: {} }, input);
    expect(found).toEqual([`deep.0  the property name "${key}" is not allowed`]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test('that is nested beyond reason is refused, not a crash', async () => {
    const deep: unknown = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000));
    const [problem] = (await check({ deep: {} }, { deep })) as string[];
    expect(problem).toMatch(/is nested too deeply; 64 levels are allowed$/);
  });

  test('that only JavaScript could hold is refused', async () => {
    expect(await check({ a: {} }, { a: Number.NaN })).toHaveLength(1);
    expect(await check({ a: {} }, { a: () => 1 })).toEqual(['a  a function is not JSON']);
  });

  test('with thousands of problems is answered with a bounded list', async () => {
    const input = Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`k${index}`, 1]));
    const found = (await check({ a: {} }, input)) as string[];
    expect(found).toHaveLength(51);
    expect(found.at(-1)).toContain('2950 more problems');
  });
});

describe('flags', () => {
  const flagsOf = async (properties: JsonObject, rest: JsonObject = {}) =>
    schemaFlags(
      await loadProbe(
        manifest(`input: { schema: ${JSON.stringify({ type: 'object', properties, ...rest })} }`),
      ),
    );

  test('describe each property: spelling, type, choices, default, need', async () => {
    const flags = await flagsOf(
      {
        maxFiles: { type: 'integer', default: 10, description: 'Most files' },
        text: { type: 'string', 'x-aiq': { from: 'file' } },
        tags: { type: 'array', items: { type: 'string' } },
        style: { enum: ['a', 'b'] },
        level: { enum: [1, 2] },
        draft: { type: ['boolean', 'null'] },
        any: {},
      },
      { required: ['text'] },
    );
    expect(flags.map(({ flag, type }) => `${flag}:${type}`)).toEqual([
      'max-files:integer',
      'text:string',
      'tags:array',
      'style:string',
      'level:number',
      'draft:boolean',
      'any:object',
    ]);
    expect(flags[0]).toMatchObject({
      property: 'maxFiles',
      aliases: ['maxFiles'],
      default: 10,
      description: 'Most files',
      required: false,
    });
    expect(flags[1]).toMatchObject({ aliases: [], required: true, fromFile: true });
    expect(flags[2]).toMatchObject({ itemType: 'string' });
    expect(flags[3]).toMatchObject({ enum: ['a', 'b'] });
  });

  test('leave out secrets, names that are no flags, and a second property of one spelling', async () => {
    const flags = await flagsOf({
      key: { type: 'string', writeOnly: true },
      token: { type: 'string', 'x-aiq': { secret: true } },
      'two words': { type: 'string' },
      maxFiles: { type: 'integer' },
      max_files: { type: 'integer' },
    });
    expect(flags.map(({ property }) => property)).toEqual(['maxFiles']);
  });

  test.each([
    ['maxFiles', 'max-files'],
    ['max_files', 'max-files'],
    ['URLPath', 'url-path'],
    ['pathURL', 'path-url'],
  ])('%s is --%s', async (property, flag) => {
    expect((await flagsOf({ [property]: { type: 'string' } }))[0]).toMatchObject({ flag });
  });

  test('what no flag can stand for is told apart, without the secrets', async () => {
    const agent = await loadProbe(
      manifest(
        `input: { schema: ${JSON.stringify({
          type: 'object',
          required: ['two words'],
          properties: {
            key: { type: 'string', writeOnly: true },
            'two words': { type: 'integer' },
            maxFiles: { type: 'integer' },
            max_files: { type: 'integer' },
          },
        })} }`,
      ),
    );
    expect(flaglessProperties(agent)).toMatchObject([
      { property: 'two words', type: 'integer', required: true },
      { property: 'max_files', type: 'integer', required: false },
    ]);
  });

  test.each<[JsonObject, string[], unknown]>([
    [{ type: 'string' }, ['5'], '5'],
    [{ type: 'integer' }, ['5'], 5],
    [{ type: 'integer' }, ['1.5'], 1.5],
    [{ type: 'number' }, ['-1.5e3'], -1500],
    [{ type: 'boolean' }, [], true],
    [{ type: 'boolean' }, ['false'], false],
    [{ type: 'array', items: { type: 'integer' } }, ['1', '2'], [1, 2]],
    [{ type: 'array', items: { type: 'string' } }, ['a,b'], ['a,b']],
    [{ type: 'object' }, ['{"a":1}'], { a: 1 }],
    [{ enum: ['a'] }, ['z'], 'z'],
  ])('%j reads %j as %j', async (schema, texts, value) => {
    const [flag] = await flagsOf({ v: schema });
    expect(convertFlag(flag!, texts)).toEqual({ ok: true, value });
  });

  test.each<[JsonObject, string | string[], string]>([
    [{ type: 'integer' }, 'four', 'v  "four" is not a whole number'],
    [{ type: 'number' }, '', 'v  "" is not a number'],
    [{ type: 'number' }, '0x10', 'v  "0x10" is not a number'],
    [
      { type: 'number' },
      '1e999',
      'v  1e999 is more than a number can hold (it is too large); write it as text, in quotes',
    ],
    [{ type: 'boolean' }, 'yes', 'v  "yes" is not true or false'],
    [{ type: 'object' }, '{a:1}', 'v  "{a:1}" is not JSON'],
    [{ type: 'integer' }, ['3', '4'], 'v  takes one value, but "3" and "4" were given'],
    [
      { type: 'boolean' },
      ['true', 'false'],
      'v  takes one value, but "true" and "false" were given',
    ],
    [
      { type: 'array', items: { type: 'integer' } },
      ['x', '1', 'y'],
      'v.0  "x" is not a whole number; v.2  "y" is not a whole number',
    ],
  ])('%j refuses %j', async (schema, text, expected) => {
    const [flag] = await flagsOf({ v: schema });
    const converted = convertFlag(flag!, [text].flat());
    expect(converted.ok ? '' : converted.problems.map(line).join('; ')).toBe(expected);
  });
});
