/** The pieces of the offline model: limits read from prompts, schemas filled from words. */

import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { shapeOf } from '../../../core/offline-model/answer-shape.ts';
import { fillSchema, fillSource } from '../../../core/offline-model/fill-schema.ts';
import { FillError } from '../../../core/offline-model/fill-string.ts';

test.each([
  ['Answer with at most 5 bullets, each one sentence.', 'bullets', 5, 2000],
  ['Answer with one paragraph of at most 120 words.', 'paragraph', 50, 120],
  ['Give no more than three key points.', 'bullets', 3, 2000],
  ['Write 3-5 bullet points, up to 80 words in all.', 'bullets', 5, 80],
  ['Seven bullets or fewer, please.', 'bullets', 7, 2000],
  ['Sum it up in two sentences.', 'paragraph', 2, 120],
  ['Give four key points.', 'bullets', 4, 2000],
  ['One point at a time; a paragraph of at most 80 words.', 'paragraph', 50, 80],
  ['Stay under 1,000 words.', 'paragraph', 50, 1000],
  ['Use a bulleted list.', 'bullets', 5, 2000],
  ['A 100-word paragraph.', 'paragraph', 50, 100],
  ['Answer with at most 1 bullet.', 'bullets', 1, 2000],
  ['You sum up texts faithfully in English.', 'paragraph', 5, 120],
])('"%s" asks for %s', (prompt, form, itemsMax, wordsMax) => {
  expect(shapeOf(prompt)).toEqual({ form, itemsMax, wordsMax });
});

const source = fillSource(
  'The mill was built on the river in 1820. It burned down in the winter of 1901. The owners rebuilt the mill of brick.',
);

const schemas: { readonly [name: string]: object } = {
  'files of an agent': {
    type: 'object',
    additionalProperties: false,
    required: ['files'],
    properties: {
      files: {
        type: 'array',
        minItems: 1,
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['path', 'content'],
          properties: { path: { type: 'string' }, content: { type: 'string' } },
        },
      },
    },
  },
  'limits of strings and numbers': {
    type: 'object',
    required: ['short', 'long', 'count', 'share', 'step', 'slug', 'day'],
    properties: {
      short: { type: 'string', maxLength: 7 },
      long: { type: 'string', minLength: 900 },
      count: { type: 'integer', minimum: 4, maximum: 9 },
      share: { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 },
      step: { type: 'integer', multipleOf: 5, minimum: 3 },
      slug: { type: 'string', pattern: '^[a-z0-9-]+$' },
      day: { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}$' },
    },
  },
  'constants, defaults, enums and examples': {
    type: 'object',
    required: ['a', 'b', 'c', 'd'],
    properties: {
      a: { const: 7 },
      b: { type: 'string', default: 'x' },
      c: { enum: ['one', 'two'] },
      d: { type: 'string', examples: ['for instance'] },
    },
  },
  'references, branches and null': {
    $defs: { point: { type: 'object', required: ['x'], properties: { x: { type: 'integer' } } } },
    type: 'object',
    required: ['at', 'maybe', 'either', 'both'],
    properties: {
      at: { $ref: '#/$defs/point' },
      maybe: { type: ['null', 'string'] },
      either: { anyOf: [{ type: 'null' }, { $ref: '#/$defs/point' }] },
      both: {
        allOf: [
          { $ref: '#/$defs/point' },
          { required: ['y'], properties: { y: { type: 'boolean' } } },
        ],
      },
    },
  },
  'lists of given lengths': {
    type: 'object',
    required: ['tags', 'many', 'pair'],
    properties: {
      tags: { type: 'array', maxItems: 2, uniqueItems: true, items: { type: 'string' } },
      many: { type: 'array', minItems: 6, items: { type: 'integer' } },
      pair: {
        type: 'array',
        prefixItems: [{ type: 'string' }, { type: 'integer' }],
        items: false,
        minItems: 2,
      },
    },
  },
};

test.each(Object.keys(schemas))('a filled schema is valid: %s', (name) => {
  const schema = schemas[name] ?? {};
  const validate = new Ajv2020({ strict: false }).compile(schema);
  const value = fillSchema(schema, source);
  expect(validate(value), JSON.stringify([value, validate.errors])).toBe(true);
});

test('values are made of the words of the text', () => {
  const schema = {
    type: 'object',
    properties: {
      title: { type: 'string' },
      summary: { type: 'string' },
      keywords: { type: 'array', items: { type: 'string' } },
    },
  };
  const value = fillSchema(schema, source) as {
    title: string;
    summary: string;
    keywords: string[];
  };
  expect(value.title).toBe('The mill was built on the river in…');
  expect(value.summary).toContain('It burned down in the winter of 1901.');
  expect(value.keywords).toContain('mill');
});

test.each([
  [
    'a required pattern of its own kind',
    { required: ['a'], properties: { a: { pattern: '^\\$$' } } },
  ],
  ['a reference to itself', { $ref: '#' }],
  ['a reference into nothing', { $ref: '#/$defs/none' }],
  [
    'endless nesting',
    {
      $defs: { n: { type: 'object', required: ['n'], properties: { n: { $ref: '#/$defs/n' } } } },
      $ref: '#/$defs/n',
    },
  ],
  ['a schema that allows nothing', { required: ['a'], properties: { a: false } }],
])('%s cannot be filled, and says so', (_, schema) => {
  expect(() => fillSchema(schema, source)).toThrow(FillError);
});
