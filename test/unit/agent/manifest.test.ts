import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadAgent } from '../../../core/agent/index.ts';
import { folderWith, loadProbe, manifest, problemsOf } from './agent-folder.ts';

const schema = 'input: { schema: { type: object, properties: { a: { type: string } } } }';

describe('agent.yaml', () => {
  test('the smallest one gets every default', async () => {
    const agent = await loadProbe(manifest());
    expect(agent).toMatchObject({
      name: 'probe',
      queue: 'probe',
      version: null,
      prompt: null,
      model: { id: null, provider: null, options: {} },
      input: { primary: 'text' },
      output: { format: 'text', overwrite: 'number', schema: null, template: null },
      tools: [],
      knowledge: [],
      limits: { timeoutMs: 120_000, concurrency: null, maxSteps: 10, maxCost: null },
      retry: { attempts: 4, backoff: 'exponential', delayMs: 2_000, maxDelayMs: 300_000 },
      metadata: {},
    });
    expect(agent.output.file.text).toBe('{{job.agent}}/{{job.shortId}}.md');
  });

  test('a full one is read as written', async () => {
    const agent = await loadProbe(
      manifest(
        'name: probe',
        'queue: slow.jobs',
        'model: { id: m1, provider: local, options: { topP: 0.5, stopSequences: [END] } }',
        'knowledge: [{ include: ["docs/**"] }]',
        'tools: [read_file]',
        'limits: { timeout: 90s, concurrency: 3, maxCost: 0.5 }',
        'retry: { attempts: 2, backoff: fixed, delay: 250ms, maxDelay: 1h }',
        'metadata: { owner: me }',
      ),
    );
    expect(agent).toMatchObject({
      queue: 'slow.jobs',
      model: { id: 'm1', provider: 'local', options: { topP: 0.5, stopSequences: ['END'] } },
      knowledge: [{ include: ['docs/**'], exclude: [], chunkSize: 1200 }],
      limits: { timeoutMs: 90_000, concurrency: 3, maxCost: 0.5 },
      retry: { attempts: 2, backoff: 'fixed', delayMs: 250, maxDelayMs: 3_600_000 },
      metadata: { owner: 'me' },
    });
  });

  test.each<[string, string[], string]>([
    ['a typo', ['instrutions: x'], '3:1 unknown field "instrutions". Did you mean "instructions"?'],
    [
      'a typo below',
      ['limits: { timout: 1m }'],
      '3:11 unknown field "timout". Did you mean "timeout"?',
    ],
    [
      'a foreign name',
      ['system: x'],
      '3:1 unknown field "system": it is called "instructions" in aiq',
    ],
    [
      'another',
      ['systemPrompt: x'],
      '3:1 unknown field "systemPrompt": it is called "instructions" in aiq',
    ],
    [
      'max_tokens',
      ['max_tokens: 3'],
      '3:1 unknown field "max_tokens": it is called "model.options.maxOutputTokens" in aiq',
    ],
    ['inputs', ['inputs: {}'], '3:1 unknown field "inputs": it is called "input.schema" in aiq'],
    [
      'a field elsewhere',
      ['temperature: 1'],
      '3:1 unknown field "temperature": it belongs at "model.options.temperature"',
    ],
    [
      'a later field',
      ['tests: []'],
      '3:1 unknown field "tests": this version of aiq does not have it yet; remove it',
    ],
    [
      'a wrong type',
      ['limits:', '  concurrency: four'],
      '4:16 "limits.concurrency": "four" is not a whole number',
    ],
    [
      'a limit',
      ['retry: { attempts: 1000 }'],
      '3:20 "retry.attempts": 1000 is over the maximum of 100',
    ],
    [
      'an enum',
      ['output: { format: markdwn }'],
      '3:19 "output.format": "markdwn" is not one of text, markdown, json, files. Did you mean markdown?',
    ],
    [
      'a duration',
      ['limits: { timeout: 2 minutes }'],
      '3:20 "limits.timeout": "2 minutes" is not of the form 90s or 5m',
    ],
    [
      'a duration beyond all',
      ['retry: { maxDelay: 999999d }'],
      '3:20 "retry.maxDelay": "999999d" is longer than 1000 years',
    ],
    ['a model of a wrong type', ['model: 5'], '3:8 "model": 5 is not text or an object'],
    [
      'a name unlike the folder',
      ['name: other'],
      '3:7 "name" is other, but the folder is called probe',
    ],
    [
      'an unknown tool',
      ['tools: [serch_files]'],
      '3:9 unknown tool "serch_files". Did you mean search_files? Built in: search_files, read_file; your own are paths like ./tools/x.js',
    ],
    [
      'knowledge outside the folder',
      ['knowledge: [{ include: ["docs/**", "../*.md"], exclude: [etc/**] }]'],
      '3:36 "../*.md" leaves the folder of aiq.config.yaml, which it is relative to',
    ],
    [
      'a search without files',
      ['tools: [search_files]'],
      '3:9 "search_files" has no files to search: "knowledge" names no files',
    ],
    ['a tool that is not there', ['tools: [./tools/x.js]'], '3:9 "./tools/x.js" does not exist'],
    ['a tool outside', ['tools: [../x.js]'], '3:9 "../x.js" must be a path like ./tools/x.js'],
    [
      'a primary that is no property',
      [schema, 'prompt: x', 'name: probe', 'x: 1'],
      '6:1 unknown field "x"; known here: $schema, name, description, version, queue, model, instructions, prompt, input, output, tools, knowledge, limits, retry, metadata',
    ],
    [
      'a schema without a use',
      ['output: { schema: { type: object } }'],
      '3:19 "output.schema" needs "output.format: json" or files',
    ],
    [
      'a template without a use',
      ['output: { format: files, template: x }'],
      '3:36 "output.template" has no use with "format: files"',
    ],
    [
      'delays the wrong way round',
      ['retry: { delay: 1m, maxDelay: 1s }'],
      '3:31 "retry.maxDelay" is shorter than "retry.delay"',
    ],
    [
      'a merge key',
      ['<<: { version: x }'],
      '3:1 unknown field "<<"; known here: $schema, name, description, version, queue, model, instructions, prompt, input, output, tools, knowledge, limits, retry, metadata',
    ],
    ['YAML 1.1 truth', ['version: no', 'tools: yes'], '4:8 "tools": "yes" is not a list'],
  ])('%s is reported with its line', async (_, lines, expected) => {
    expect(await problemsOf(manifest(...lines))).toEqual([expected]);
  });

  test('every finding is told, not only the first', async () => {
    const problems = await problemsOf('system: x\nlimits: { timeout: soon, steps: 3 }\n');
    expect(problems).toHaveLength(5);
    expect(problems).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^1:1 "description" is missing\. It is: What the agent does/),
        expect.stringMatching(/^1:1 "instructions" is missing/),
      ]),
    );
  });

  test.each(['just text', '[a, b]', '5'])('%j is no mapping of fields', async (text) => {
    expect(await problemsOf(text)).toEqual([
      expect.stringContaining('must be a mapping of fields'),
    ]);
  });

  test('input.primary must be a text property', async () => {
    const lines = (primary: string): string =>
      manifest(
        'input:',
        `  primary: ${primary}`,
        '  schema: { type: object, properties: { query: { type: string }, n: { type: integer } } }',
      );
    expect(await problemsOf(lines('query'))).toEqual([]);
    expect(await problemsOf(lines('qery'))).toEqual([
      '4:12 "input.primary" must name a text property of the schema; "qery" is none. Did you mean query?',
    ]);
    expect(await problemsOf(lines('n'))).toHaveLength(1);
  });

  test.each<[string, string | null]>([
    ['{ required: [q, n], properties: { q: { type: string }, n: { type: integer } } }', 'q'],
    ['{ required: [a, b], properties: { a: { type: string }, b: { type: string } } }', null],
    [
      '{ required: [a, b], properties: { a: { type: string }, b: { type: string }, text: { type: string } } }',
      'text',
    ],
    ['{ properties: { text: { type: string }, input: { type: string } } }', 'input'],
    ['{ properties: { text: { type: integer } } }', null],
    ['{ properties: { text: { type: [string, "null"] } } }', 'text'],
  ])('the primary property of %s is %s', async (text, primary) => {
    const agent = await loadProbe(
      manifest(`input: { schema: ${text.replace('{', '{ type: object,')} }`),
    );
    expect(agent.input.primary).toBe(primary);
  });
});

describe('schemas of agents', () => {
  const inSchema = (...lines: string[]): string =>
    manifest('input:', '  schema:', '    type: object', ...lines.map((line) => `    ${line}`));

  test.each<[string, string[], string]>([
    [
      'an unknown keyword',
      ['properties:', '  a: { type: integer, minimun: 1 }'],
      '7:27 unknown schema keyword "minimun". Did you mean minimum?',
    ],
    [
      'an older keyword',
      ['dependencies: {}'],
      '6:5 unknown schema keyword "dependencies": write dependentRequired or dependentSchemas',
    ],
    [
      'a reference to elsewhere',
      ['properties: { a: { $ref: "https://example.com/x" } }'],
      '6:30 a $ref must point into the schema itself, like #/$defs/name',
    ],
    [
      'a pattern that is none',
      ['properties: { a: { type: string, pattern: "(" } }'],
      '6:47 Invalid regular expression: /(/u: Unterminated group',
    ],
    [
      'an unknown setting of ours',
      ['properties: { a: { type: string, x-aiq: { form: file } } }'],
      '6:47 unknown x-aiq setting "form". Did you mean from?',
    ],
    [
      'a type that is none',
      ['properties: { a: { type: strng } }'],
      '5:5 the schema cannot be used: type must be JSONType or JSONType[]: strng',
    ],
    [
      'a format that is none',
      ['properties: { a: { type: string, format: e-mail } }'],
      '5:5 the schema cannot be used: unknown format "e-mail" ignored in schema at path "#/properties/a"',
    ],
    [
      'a reference into nothing',
      ['properties: { a: { $ref: "#/$defs/x" } }'],
      "5:5 the schema cannot be used: can't resolve reference #/$defs/x from id #",
    ],
    [
      'a default that does not fit',
      ['properties:', '  n: { type: integer, maximum: 5, default: 9 }'],
      '7:48 schema: "properties.n.default" 9 is over the maximum of 5',
    ],
    [
      'a keyword with a wrong value',
      ['properties:', '  n: { type: string, minLength: -1 }'],
      '7:37 schema: "properties.n.minLength" -1 is under the minimum of 0',
    ],
  ])('%s is reported with its line', async (_, lines, expected) => {
    expect(await problemsOf(inSchema(...lines))).toEqual([expected]);
  });

  test('a schema that describes no object is refused', async () => {
    expect(await problemsOf(manifest('input: { schema: { type: string } }'))).toEqual([
      '3:18 the schema must have "type: object" at its top',
    ]);
  });

  test('a schema may lie in a file, and its findings name that file', async () => {
    const text = manifest('input: { schema: { $ref: ./in.json } }');
    const good = JSON.stringify({
      $id: 'urn:x',
      type: 'object',
      properties: { q: { type: 'string' } },
    });
    expect((await loadProbe(text, { 'in.json': good })).input.primary).toBe(null);
    expect(
      await problemsOf(text, { 'in.json': '{\n "type": "object",\n "propertys": {} }' }),
    ).toEqual(['3:2 unknown schema keyword "propertys". Did you mean properties?']);
    expect(await problemsOf(text)).toEqual(['3:26 "./in.json" does not exist']);
  });

  test('two agents may use one $id', async () => {
    const text = manifest('input: { schema: { $id: "urn:same", type: object } }');
    expect(await problemsOf(text)).toEqual([]);
    expect(await problemsOf(text)).toEqual([]);
  });

  test('a schema that is nested beyond reason is refused, not a crash', async () => {
    const deep = `${'{"not":'.repeat(70)}{}${'}'.repeat(70)}`;
    const problems = await problemsOf(
      manifest(`input: { schema: { type: object, not: ${deep} } }`),
    );
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/nested too deeply|too large/);
  });
});

describe('files of an agent', () => {
  const text = manifest().replace('Do it', '{ file: prompt.md }');

  test('a template may lie beside the manifest', async () => {
    const agent = await loadProbe(text, { 'prompt.md': '\ufeffHello' });
    expect(agent.instructions).toMatchObject({ text: 'Hello', line: 1 });
  });

  test.each(['../x.md', '/etc/hostname', 'a/../../x.md', 'a\\0b'])(
    '%s leaves the folder',
    async (name) => {
      const manifestText = manifest().replace('Do it', `{ file: "${name}" }`);
      const [problem] = await problemsOf(manifestText);
      expect(problem).toMatch(/^2:23 .*leaves the agent's folder/);
    },
  );

  test('a link out of the folder is refused, one inside is followed', async () => {
    const root = folderWith({
      'secret.txt': 'key',
      'probe/real.md': 'Hi',
      'probe/agent.yaml': text,
    });
    symlinkSync(join(root, 'secret.txt'), join(root, 'probe/prompt.md'));
    await expect(loadAgent('probe', [root])).rejects.toThrow(/is a link that leaves/);
    writeFileSync(join(root, 'probe/agent.yaml'), text.replace('prompt.md', 'inner.md'));
    symlinkSync('real.md', join(root, 'probe/inner.md'));
    expect((await loadAgent('probe', [root])).instructions.text).toBe('Hi');
  });

  test('a folder, a missing file and bytes that are no text are told apart', async () => {
    expect(await problemsOf(text, { 'prompt.md/x': '' })).toEqual(['2:23 "prompt.md" is no file']);
    expect(await problemsOf(text)).toEqual(['2:23 "prompt.md" does not exist']);
    expect(await problemsOf(text, { 'prompt.md': Buffer.from([0xff, 0xfe]) })).toEqual([
      '2:23 "prompt.md" is not UTF-8 text',
    ]);
  });
});
