import { describe, expect, test } from 'vitest';
import { BrokenAgentError, compileAgent, type JsonObject } from '../../../core/agent/index.ts';
import { loadProbe, manifest, problemsOf, promptManifest } from './agent-folder.ts';

const properties: JsonObject = {
  text: { type: 'string', default: '' },
  maybe: { type: 'string' },
  count: { type: 'integer', default: 1 },
  tags: { type: 'array', default: [], items: { type: 'string' } },
  meta: {
    type: 'object',
    default: {},
    properties: { title: { type: 'string', default: '' } },
    additionalProperties: false,
  },
  people: {
    type: 'array',
    default: [],
    items: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
  },
  free: { type: 'object', default: {} },
};

const found = async (prompt: string): Promise<string[]> =>
  (await problemsOf(promptManifest(properties, prompt))).map((line) => line.replace(/^4:/, ''));

describe('a template against its schema', () => {
  test.each([
    '{{input.text}} {{input.count}} {{input.meta.title}} {{input.tags.length}}',
    '{{#if input.maybe}}{{input.maybe}}{{/if}}',
    '{{#if (and input.maybe input.text)}}{{input.maybe}}{{/if}}',
    '{{default input.maybe "x"}}',
    '{{#each input.people}}{{name}} {{this.name}} {{@index}} {{../input.text}}{{/each}}',
    '{{#each input.people as |who|}}{{who.name}} {{@root.input.text}}{{/each}}',
    '{{#each input.tags}}{{this}}{{/each}}',
    '{{#with input.meta}}{{title}}{{/with}}',
    '{{json input.free}} {{#if input.free.anything}}{{input.free.anything}}{{/if}}',
    '{{job.id}} {{job.shortId}} {{job.attempt}} {{job.source}} {{agent.name}} {{now}}',
    '{{! a comment }}{{#if input.count}}a{{else if input.text}}b{{else}}c{{/if}}',
  ])('%s is fine', async (prompt) => {
    expect(await found(prompt)).toEqual([]);
  });

  test.each<[string, string]>([
    ['{{input.txt}}', '12 "input" has no "txt". Did you mean text?'],
    [
      'a {{input.zzz}}',
      '14 "input" has no "zzz". There is: text, maybe, count, tags, meta, people, free',
    ],
    ['{{txt}}', '12 the template has no variable "txt". There is: input, job, agent, now'],
    ['{{upper input.txt}}', '18 "input" has no "txt". Did you mean text?'],
    ['{{slug job.source default=input.txt}}', '36 "input" has no "txt". Did you mean text?'],
    ['{{#if (eq input.txt "a")}}x{{/if}}', '20 "input" has no "txt". Did you mean text?'],
    ['{{input.meta.titel}}', '12 "input.meta" has no "titel". Did you mean title?'],
    ['{{input.text.length}}', '12 "input.text" has no "length".'],
    [
      '{{job.name}}',
      '12 "job" has no "name". There is: id, shortId, agent, attempt, source, createdAt, fence',
    ],
    ['{{output.x}}', '12 the template has no variable "output". Did you mean input?'],
    ['{{env.HOME}}', '12 the template has no variable "env". There is: input, job, agent, now'],
    [
      '{{#each input.people}}{{nam}}{{/each}}',
      '34 the template has no variable "nam". Did you mean name?',
    ],
    [
      '{{#each input.people}}{{input.text}}{{/each}}',
      '34 the template has no variable "input". Inside a block write @root.input.text.',
    ],
    ['{{../input}}', '12 ../input leads above the top of the template'],
    ['{{input.meta}}', '12 input.meta is an object; print it with json'],
    ['{{input}}', '12 input is an object; print it with json'],
    ['{{input.tags}}', '12 input.tags is a list; print it with join, json or each'],
    ['{{#each input.people}}{{this}}{{/each}}', '34 this is an object; print it with json'],
    [
      '{{input.maybe}}',
      '12 a job may lack input.maybe; put {{#if input.maybe}} around it, or give it a default',
    ],
    [
      '{{#unless input.maybe}}{{input.maybe}}{{/unless}}',
      '35 a job may lack input.maybe; put {{#if input.maybe}} around it, or give it a default',
    ],
    [
      '{{#input.tags}}x{{/input.tags}}',
      '10 "input.tags" is no block helper; write {{#each …}}, {{#with …}} or {{#if …}}',
    ],
    ['{{#eq input.text "a"}}x{{/eq}}', '10 "eq" is no block; write {{#if (eq …)}}'],
    ['{{if input.text}}', '10 "if" is a block: {{#if …}} … {{/if}}'],
    ['{{> header}}', '10 partials are not supported; put the text into the template'],
    ['{{@foo}}', '12 unknown variable @foo; there are @index, @key, @first, @last, @root'],
  ])('%s is reported with its line', async (prompt, expected) => {
    expect(await found(prompt)).toEqual([expected]);
  });

  test('an unknown helper is reported with the nearest one', async () => {
    const [problem] = await found('{{uper input.text}}');
    expect(problem).toMatch(/^10 unknown helper "uper"\. Did you mean upper\? Helpers: json, eq,/);
  });

  test.each<[string, RegExp]>([
    ['{{#if input.text}}x', /does not parse: unexpected end of the template/],
    ['{{input.text', /does not parse: unexpected/],
    ['{{#if input.text}}x{{/each}}', /does not parse: if doesn't match each/],
  ])('%s does not parse', async (prompt, expected) => {
    expect(await found(prompt)).toEqual([expect.stringMatching(expected)]);
  });

  test('places are those of the file, in blocks, in quotes and in files beside it', async () => {
    const inBlock = manifest('prompt: |', '    First', '    {{txt}}');
    expect((await problemsOf(inBlock))[0]).toMatch(/^5:7 the template has no variable/);
    const besides = manifest('prompt: { file: p.hbs }');
    expect((await problemsOf(besides, { 'p.hbs': 'a\nbc {{txt}}' }))[0]).toMatch(/^2:6 /);
  });

  test('what fails for every job makes the agent unusable; what may fail for some does not', async () => {
    const compile = async (prompt: string) =>
      compileAgent(await loadProbe(promptManifest(properties, prompt)));
    await expect(compile('{{input.txt}}')).rejects.toThrow(BrokenAgentError);
    await expect(compile('{{input.maybe}}')).resolves.toBeDefined();
  });

  test('references inside a schema are followed', async () => {
    const text = manifest(
      'prompt: "{{input.a.b}} {{input.a.c}}"',
      'input:',
      '  schema:',
      '    type: object',
      '    required: [a]',
      '    properties: { a: { $ref: "#/$defs/a" } }',
      '    $defs: { a: { type: object, required: [b], properties: { b: { type: string } } } }',
    );
    expect(await problemsOf(text)).toEqual(['3:26 "input.a" has no "c". There is: b']);
  });
});
