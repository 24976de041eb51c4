import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import {
  BrokenAgentError,
  discoverAgents,
  loadAgent,
  shadowsShipped,
  UnknownAgentError,
} from '../../../core/agent/index.ts';
import { folderWith, loadProbe, manifest } from './agent-folder.ts';

const names = (agents: readonly { readonly name: string }[]): string[] =>
  agents.map((agent) => agent.name);

const shippedNames = ['filegen', 'search', 'summarize'];

describe('discoverAgents', () => {
  test('finds every folder with an agent.yaml, sorted, the shipped ones included', async () => {
    const root = folderWith({
      'zeta/agent.yaml': manifest(),
      'alpha/agent.yaml': manifest(),
      'notes/readme.md': 'no agent',
      'deep/er/agent.yaml': manifest(),
    });
    const { agents, broken } = await discoverAgents([root]);
    expect(names(agents)).toEqual(['alpha', ...shippedNames, 'zeta']);
    expect(broken).toEqual([]);
    expect(agents.map((agent) => agent.builtIn)).toEqual([false, true, true, true, false]);
  });

  test('an agent of the name of a shipped one is known to stand in its place', async () => {
    const root = folderWith({ 'search/agent.yaml': manifest(), 'other/agent.yaml': manifest() });
    const { agents } = await discoverAgents([root]);
    expect(names(agents.filter(shadowsShipped))).toEqual(['search']);
  });

  test('one broken agent is a row with its reason, and the others go on', async () => {
    const root = folderWith({
      'good/agent.yaml': manifest(),
      'bad/agent.yaml': manifest('instrutions: typo'),
      'worse/agent.yaml': 'a: [',
      'Shouting/agent.yaml': manifest(),
      'near/agent.yml': manifest(),
    });
    const { agents, broken } = await discoverAgents([root]);
    expect(names(agents)).toEqual(['filegen', 'good', 'search', 'summarize']);
    expect(broken.map(({ name, problems }) => [name, problems[0]?.message])).toEqual([
      ['Shouting', expect.stringContaining('must be named in a-z')],
      ['bad', 'unknown field "instrutions". Did you mean "instructions"?'],
      ['near', 'rename this file to agent.yaml'],
      ['worse', expect.any(String)],
    ]);
  });

  test('the nearer path wins, even with a broken agent', async () => {
    const near = folderWith({
      'a/agent.yaml': 'nothing',
      'b/agent.yaml': manifest('version: near'),
    });
    const far = folderWith({
      'a/agent.yaml': manifest(),
      'b/agent.yaml': manifest('version: far'),
      'summarize/agent.yaml': manifest('version: mine'),
    });
    const { agents, broken } = await discoverAgents([near, far]);
    const own = agents.filter((agent) => !agent.builtIn);
    expect(own.map(({ name, version }) => `${name} ${version}`)).toEqual([
      'b near',
      'summarize mine',
    ]);
    expect(names(broken)).toEqual(['a']);
    expect((await loadAgent('b', [near, far])).version).toBe('near');
    await expect(loadAgent('a', [near, far])).rejects.toThrow(BrokenAgentError);
  });

  test('the shipped folder counts once, under whatever path it is reached', async () => {
    const root = folderWith({});
    const shipped = join(import.meta.dirname, '../../../agents');
    symlinkSync(shipped, join(root, 'link'));
    const { agents } = await discoverAgents([join(root, 'link'), shipped]);
    expect(names(agents)).toEqual(shippedNames);
    expect(agents[0]?.builtIn).toBe(true);
  });

  test('a linked agent folder is found by both ways of looking', async () => {
    const elsewhere = folderWith({ 'real/agent.yaml': manifest() });
    const root = folderWith({});
    symlinkSync(join(elsewhere, 'real'), join(root, 'linked'));
    expect(names((await discoverAgents([root])).agents)).toContain('linked');
    expect((await loadAgent('linked', [root])).name).toBe('linked');
  });

  test('the configuration decides for agents that set no time limit', async () => {
    const root = folderWith({
      'own/agent.yaml': manifest('limits: { timeout: 5s }'),
      'none/agent.yaml': manifest('limits: { concurrency: 1 }'),
    });
    const { agents } = await discoverAgents([root], { timeoutMs: 7_000 });
    const limits = agents.map(({ name, limits: { timeoutMs } }) => `${name} ${timeoutMs}`);
    expect(limits).toEqual(expect.arrayContaining(['none 7000', 'own 5000', 'summarize 7000']));
    expect((await loadAgent('none', [root])).limits.timeoutMs).toBe(120_000);
  });

  test('a path that does not exist holds no agents', async () => {
    const { agents } = await discoverAgents([join(folderWith({}), 'nowhere')]);
    expect(names(agents)).toEqual(shippedNames);
  });
});

describe('loadAgent', () => {
  test('an unknown name comes with the nearest one and the list', async () => {
    const root = folderWith({ 'translate/agent.yaml': manifest() });
    const error = await loadAgent('sumarize', [root]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UnknownAgentError);
    const { suggestions, available, message } = error as UnknownAgentError;
    expect(suggestions).toEqual(['summarize']);
    expect(available).toEqual([...shippedNames, 'translate']);
    expect(message).toContain('unknown agent "sumarize". Did you mean summarize?');
  });

  test.each(['../secret', '/etc', '.', '', 'a/b', 'A', 'x'.repeat(65)])(
    'the name %j never becomes a path',
    async (name) => {
      const root = folderWith({
        'agents/a/agent.yaml': manifest(),
        'secret/agent.yaml': manifest(),
      });
      await expect(loadAgent(name, [join(root, 'agents')])).rejects.toThrow(UnknownAgentError);
    },
  );

  /** Packages that a process loads to read an agent and check an input. */
  function packagesFor(cache: string | undefined): { atStart: string[]; later: string[] } {
    const door = pathToFileURL(join(import.meta.dirname, '../../../core/agent/index.ts')).href;
    const script = `
      const { createRequire } = await import('node:module');
      const { loadAgent, inputChecker, schemaFlags } = await import(${JSON.stringify(door)});
      const loaded = () => Object.keys(createRequire(import.meta.url).cache)
        .map((path) => /node_modules.(.+)/.exec(path)?.[1])
        .filter((path) => !path.startsWith('ajv/dist/runtime/'))
        .map((path) => path.split('/')[0]);
      const atStart = [...new Set(loaded())];
      const agent = await loadAgent('summarize', []);
      schemaFlags(agent);
      const checked = (await inputChecker(agent))({ text: 'a' });
      if (!checked.ok) throw new Error('not ok');
      console.log(JSON.stringify({ atStart, later: [...new Set(loaded())] }));`;
    const stdout = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      env: { ...process.env, NODE_COMPILE_CACHE: cache },
    });
    return JSON.parse(stdout) as { atStart: string[]; later: string[] };
  }

  test('only what is needed is loaded: neither handlebars nor fast-glob for an enqueue', () => {
    const { atStart, later } = packagesFor(undefined);
    expect(atStart).toEqual([]);
    expect(later).toEqual(expect.arrayContaining(['yaml', 'ajv']));
    expect(later).not.toEqual(expect.arrayContaining(['handlebars']));
    expect(later).not.toEqual(expect.arrayContaining(['fast-glob']));
  });

  test('no package is loaded for an agent that was read before', () => {
    const cache = folderWith({});
    packagesFor(cache);
    expect(packagesFor(cache).later).toEqual([]);
  });
});

describe('the digest', () => {
  const files = { 'prompt.hbs': 'Text: {{input.text}}', 'tools/count.js': 'export {};' };
  const text = manifest('prompt: { file: prompt.hbs }', 'tools: [./tools/count.js]');

  test('is the same wherever the folder lies', async () => {
    const first = await loadProbe(text, files);
    const second = await loadProbe(text, files);
    expect(second.dir).not.toBe(first.dir);
    expect(second.digest).toBe(first.digest);
    expect(first.digest).toMatch(/^[0-9a-f]{64}$/);
  });

  test.each([
    ['a comment', (yaml: string) => `# what it is for\n${yaml}`],
    [
      'a description',
      (yaml: string) => yaml.replace(/^description: .*$/m, 'description: Other words.'),
    ],
    ['a limit', (yaml: string) => `${yaml}\nlimits: { timeout: 7m, maxSteps: 3 }\n`],
    ['the attempts', (yaml: string) => `${yaml}\nretry: { attempts: 9 }\n`],
    ['line ends of Windows', (yaml: string) => yaml.replaceAll('\n', '\r\n')],
    ['a byte order mark', (yaml: string) => `\u{feff}${yaml}`],
  ])('does not change with %s', async (_, edit) => {
    expect(edit(text)).not.toBe(text);
    const [before, after] = [await loadProbe(text, files), await loadProbe(edit(text), files)];
    expect(after.digest).toBe(before.digest);
  });

  test('does not change with line ends and byte order marks of the files that it names', async () => {
    const lines = { ...files, 'prompt.hbs': 'One\nText: {{input.text}}' };
    const before = await loadProbe(text, lines);
    const others = { ...lines, 'prompt.hbs': '\u{feff}One\r\nText: {{input.text}}' };
    expect((await loadProbe(text, others)).digest).toBe(before.digest);
  });

  test.each([
    ['the model', 'model: other-model'],
    ['an option of the model', 'model: { options: { temperature: 0.5 } }'],
    ['the path of the file', 'output: { file: "other/{{job.shortId}}.md" }'],
    ['what is read', 'knowledge: [{ include: [docs/*.md] }]'],
  ])('changes with %s', async (_, line) => {
    const [before, after] = [
      await loadProbe(text, files),
      await loadProbe(`${text}\n${line}\n`, files),
    ];
    expect(after.digest).not.toBe(before.digest);
  });

  test.each(['prompt.hbs', 'tools/count.js'])('changes with %s', async (name) => {
    const before = await loadProbe(text, files);
    const root = folderWith({});
    mkdirSync(join(root, 'probe'));
    cpSync(before.dir, join(root, 'probe'), { recursive: true });
    appendFileSync(join(root, 'probe', name), '\n# more');
    expect((await loadAgent('probe', [root])).digest).not.toBe(before.digest);
  });

  test('does not change with files that the agent does not name, but does with the name', async () => {
    const root = folderWith({ 'one/agent.yaml': manifest(), 'two/agent.yaml': manifest() });
    const one = await loadAgent('one', [root]);
    writeFileSync(join(root, 'one', 'README.md'), 'hello');
    expect((await loadAgent('one', [root])).digest).toBe(one.digest);
    expect((await loadAgent('two', [root])).digest).not.toBe(one.digest);
  });
});
