/**
 * The package as a user gets it: packed once, installed once into an empty folder, then looked at
 * and run there. The installation fetches the runtime packages, from npm's cache where it has them.
 */

import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { publint } from 'publint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserShell } from '../support/user-shell.ts';
import { machinePaths } from '../tidy/rules/house.ts';
import { type Import, importsOf, packageOf } from '../tidy/rules/imports.ts';
import { fileLinks } from '../tidy/rules/markdown.ts';
import { root } from '../tidy/rules/repository.ts';

/** Against what slips in: budgets, rates and batches took the code alone over the megabyte that it was. */
const tarballBytesMax = 1.25 * 1024 * 1024;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;

const quick = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];

let home: string;
let shell: UserShell;
/** The user's folder. */
let app: string;
/** The package in it. */
let installed: string;
/** Absolute. */
let tarball: string;
/** Paths in the tarball. */
let packed: string[];
let tarballBytes: number;

const aiqIn = (cwd: string, ...args: string[]) =>
  shell.succeed(join(app, 'node_modules/.bin/aiq'), args, cwd);
const aiq = (...args: string[]) => aiqIn(app, ...args);

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'aiq package '));
  shell = new UserShell(home);
  app = join(home, 'app');
  await mkdir(app);
  const report = await shell.succeed('npm', ['pack', '--json', '--pack-destination', home], root);
  const [pack] = JSON.parse(report) as [
    { filename: string; size: number; files: { path: string }[] },
  ];
  packed = pack.files.map(({ path }) => path).sort();
  tarballBytes = pack.size;
  tarball = join(home, pack.filename);
  await shell.succeed('npm', ['install', ...quick, tarball], app);
  installed = join(app, 'node_modules', manifest.name);
});

afterAll(async () => {
  for (const dir of [app, join(app, 'demo'), join(home, 'person/notes')].filter((path) =>
    existsSync(path),
  )) {
    await shell.run(process.execPath, [join(root, 'bin/aiq.js'), 'broker', 'stop'], dir);
  }
  await rm(home, { recursive: true, force: true });
});

describe('the tarball', () => {
  test('holds what runs, what tells about it, and nothing else', () => {
    const kinds = new Set(packed.map((path) => path.split('/')[0]));
    expect([...kinds]).toEqual([
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'agents',
      'aiq.config.yaml',
      'bin',
      'dist',
      'docs',
      'examples',
      'package.json',
      'schema',
    ]);
    const sources = packed.filter((path) => /\.[cm]?tsx?$/.test(path) && !path.endsWith('.d.ts'));
    expect(sources).toEqual([]);
    expect(packed.filter((path) => /\btests?\b|\.test\.|\.tgz$/.test(path))).toEqual([]);
    expect(tarballBytes).toBeLessThan(tarballBytesMax);
  });

  test('has compiled JavaScript and its types for every source, also for the threads', async () => {
    const sources = (await readdir(join(root, 'core'), { recursive: true }))
      .filter((path) => path.endsWith('.ts'))
      .flatMap((path) => [path.replace(/ts$/, 'js'), path.replace(/ts$/, 'd.ts')])
      .map((path) => posix.join('dist', path));
    expect(packed.filter((path) => path.startsWith('dist/'))).toEqual(sources.sort());
  });

  test('names no path of the machine that it was made on', () => {
    const texts = new Map(packed.map((path) => [path, readInstalled(path)]));
    expect(machinePaths(texts)).toEqual([]);
    const places = [root, home, process.env['HOME'] ?? root];
    expect([...texts].filter(([, it]) => places.some((place) => it.includes(place)))).toEqual([]);
  });

  test('starts every thread and process from a compiled file', () => {
    const sourceEntry = /new URL\(\s*(['"`])[^'"`]*\.ts\1/;
    expect("new Worker(new URL('./x-thread.ts', import.meta.url))").toMatch(sourceEntry);
    expect(compiled().filter((path) => sourceEntry.test(readInstalled(path)))).toEqual([]);
    const entries = compiled().flatMap((path) => importsOf(readInstalled(path)));
    expect(entries.filter(({ kind }) => kind === 'entry').length).toBeGreaterThanOrEqual(4);
  });

  test('resolves every import of its own code to a file in it, Node itself or a dependency', () => {
    const missing = (path: string) =>
      importsOf(readInstalled(path))
        .filter((one) => !isThere(path, one))
        .map(({ specifier }) => `${path}: ${specifier}`);
    expect(compiled().flatMap(missing)).toEqual([]);
    expect(isThere('dist/cli/main.js', { kind: 'value', specifier: './program.ts' })).toBe(false);
    expect(isThere('dist/cli/main.js', { kind: 'value', specifier: 'vitest' })).toBe(false);
  });

  test('links in its documents only to files that are in it', () => {
    const dead = packed
      .filter((path) => path.endsWith('.md'))
      .flatMap((path) =>
        fileLinks(readInstalled(path))
          .map((target) => posix.join(posix.dirname(path), decodeURI(target)))
          .filter((target) => !existsSync(join(installed, target)))
          .map((target) => `${path} → ${target}`),
      );
    expect(dead).toEqual([]);
  });

  test('passes publint without a remark', async () => {
    const { messages } = await publint({ pkgDir: installed, pack: false, level: 'suggestion' });
    expect(messages).toEqual([]);
  });
});

/** Paths of the code in the tarball. */
function compiled(): string[] {
  const paths = packed.filter((path) => /^(?:dist|bin)\/.*\.js$/.test(path));
  expect(paths.length).toBeGreaterThan(100);
  return paths;
}

function readInstalled(path: string): string {
  return readFileSync(join(installed, path), 'utf8');
}

function isThere(from: string, { kind, specifier }: Import): boolean {
  if (kind === 'computed' || specifier.startsWith('node:')) return true;
  if (!specifier.startsWith('.')) return Object.hasOwn(manifest.dependencies, packageOf(specifier));
  // A thread's entry takes the extension of the file that starts it; the reader assumes a source.
  const target = kind === 'entry' ? specifier.replace(/\.ts$/, '.js') : specifier;
  return packed.includes(posix.join(posix.dirname(from), target));
}

describe('the installation', () => {
  test('runs no script, builds nothing native and brings no development package', async () => {
    const scripts = ['preinstall', 'install', 'postinstall', 'prepare'];
    expect(scripts.filter((name) => Object.hasOwn(manifest.scripts, name))).toEqual([]);
    const lock = await readFile(join(app, 'node_modules/.package-lock.json'), 'utf8');
    const { packages } = JSON.parse(lock) as {
      packages: Record<string, { dev?: boolean; hasInstallScript?: boolean }>;
    };
    const wrong = Object.entries(packages).filter(([, it]) => it.dev ?? it.hasInstallScript);
    expect(wrong).toEqual([]);
    const files = await readdir(join(app, 'node_modules'), { recursive: true });
    expect(files.filter((path) => /\.node$|(?:^|\/)binding\.gyp$/.test(path))).toEqual([]);
    for (const name of ['typescript', 'vitest', 'publint', '@types/node']) {
      expect([name, existsSync(join(app, 'node_modules', name))]).toEqual([name, false]);
    }
  });
});

const stockAgent = `
description: Answers questions about the stock.
instructions: Answer from what count_parts says.
prompt: '{{input.question}}'
tools: [./count.ts]
input:
  schema:
    type: object
    required: [question]
    properties: { question: { type: string } }
output: { format: text, file: 'stock.txt' }
`;

const stockTool = `
import { defineTool, type Tool } from '${manifest.name}';

export const tool: Tool<{ part: string }> = defineTool({
  name: 'count_parts',
  description: 'Counts the parts of one kind.',
  parameters: { type: 'object', required: ['part'], properties: { part: { type: 'string' } } },
  run: async ({ part }: { part: string }) => \`The shelf holds 120 \${part}.\`,
});
`;

describe('the installed command', () => {
  test('tells its version and its agents, with schemas and templates in place', async () => {
    expect((await aiq('--version')).trim()).toBe(manifest.version);
    const listed = await aiq('agents', 'list');
    for (const name of await readdir(join(root, 'agents'))) expect(listed).toContain(name);
    await aiq('agents', 'validate');
  });

  test('queues a job, and works it off through broker process, I/O and worker threads', async () => {
    await writeFile(join(app, 'mill.txt'), 'The mill burned in 1901. It was rebuilt in 1903.\n');
    const id = (await aiq('enqueue', 'summarize', '--input', 'mill.txt')).trim();
    await aiq('run', '--until-empty', '--agents', 'summarize');
    const shown = await aiq('jobs', 'show', id, '--json');
    const { state, files } = JSON.parse(shown) as { state: string; files: string[] };
    expect(state).toBe('done');
    expect(await readFile(files[0] ?? '', 'utf8')).toContain('mill burned in 1901');
  });

  test("calls the tool of the user's own agent, a TypeScript module that imports the package", async () => {
    await mkdir(join(app, 'agents/stock'), { recursive: true });
    await writeFile(join(app, 'agents/stock/agent.yaml'), stockAgent);
    await writeFile(join(app, 'agents/stock/count.ts'), stockTool);
    await aiq('agents', 'validate');
    expect(await aiq('trust')).toContain('run agents/stock/count.ts');
    const answer = await aiq('enqueue', 'stock', '--question', 'bolts', '--wait');
    expect(answer).toContain('The shelf holds 120 bolts.');
  });

  test('runs the demo on the texts that come with it', async () => {
    const files = (await aiq('demo')).trim().split('\n');
    expect(files.length).toBeGreaterThanOrEqual(3);
    for (const file of files) expect(existsSync(join(app, file)), file).toBe(true);
  });
});

describe('a folder that aiq init made', () => {
  const demo = (...args: string[]) => aiqIn(join(app, 'demo'), ...args);
  const sample = 'docs/four-freedoms.md';

  beforeAll(async () => {
    await aiq('init', 'demo');
  });

  test('works at once: a text is queued, and another process sums it up', async () => {
    await demo('enqueue', 'summarize', sample);
    await demo('run', '--until-empty');
    const [summary] = await readdir(join(app, 'demo/out/summaries'));
    expect(summary).toContain('four-freedoms');
  });

  test('is searched: quotes stand in the file word for word, and nothing is made up', async () => {
    const query = 'Which four essential human freedoms are there?';
    const answer = await demo('enqueue', 'search', '--query', query, '--wait');
    const quotes = answer.match(/^> .*(?:\n> .*)*/gm) ?? [];
    expect(quotes.length).toBeGreaterThan(0);
    const source = await readFile(join(app, 'demo', sample), 'utf8');
    for (const quote of quotes) expect(source).toContain(quote.replaceAll(/^> /gm, ''));
    const none = await demo('enqueue', 'search', '--query', 'Who quaffles the zorblax?', '--wait');
    expect(none).toContain('Not found');
    expect(none).not.toContain(sample);
  });
});

describe('a global installation, for a person with an empty HOME', () => {
  test('makes a folder, and one command later a summary stands in it', async () => {
    const person = join(home, 'person');
    await mkdir(person);
    const cache = await shell.succeed('npm', ['config', 'get', 'cache'], home);
    const env = { HOME: person, npm_config_cache: cache.trim() };
    const theirs = new UserShell('', env);
    const prefix = join(person, '.local');
    const where = ['--global', '--prefix', prefix, ...quick];
    await theirs.succeed('npm', ['install', ...where, tarball], person);
    const global = (cwd: string, ...args: string[]) =>
      theirs.succeed(join(prefix, 'bin/aiq'), args, cwd);
    await global(person, 'init', 'notes');
    const notes = join(person, 'notes');
    await writeFile(join(notes, 'mill.txt'), 'The mill burned in 1901. It was rebuilt in 1903.\n');
    const answer = await global(notes, 'enqueue', 'summarize', '--input', 'mill.txt', '--wait');
    expect(answer).toContain('mill burned in 1901');
    expect((await readdir(join(notes, 'out/summaries'))).length).toBe(1);
    await global(notes, 'doctor');
  });
});

const consumer = `
import {
  type Aiq, AiqError, AgentError, connect, defineTool, type JobDescription, type Tool,
} from '${manifest.name}';

const tool: Tool<{ name: string }> = defineTool({
  name: 'greet',
  description: 'Greets somebody.',
  parameters: { type: 'object', properties: { name: { type: 'string' } } },
  run: async ({ name }: { name: string }, { signal }) => (signal.aborted ? '' : \`Hello \${name}\`),
});
const aiq: Aiq = await connect({ settings: { provider: 'offline', 'run.concurrency': 2 } });
try {
  const job = await aiq.enqueue('summarize', { text: 'The ferry sank in 1907. Nobody drowned.' });
  const { counts } = await aiq.run({ agents: ['summarize'] });
  const done: JobDescription = await aiq.wait(job.id, { signal: AbortSignal.timeout(10_000) });
  const refused: unknown = await aiq.enqueue('summarize', { style: 1 }).catch((e: unknown) => e);
  if (!(refused instanceof AgentError) || refused instanceof AiqError) throw refused;
  const { name } = tool;
  console.log(JSON.stringify({ name, counts, state: done.state, problems: refused.problems }));
} finally {
  await aiq.close();
}
`;

const mistaken = `
import { connect } from '${manifest.name}';
await connect({ settings: { 'run.concurency': 2 } });
`;

const consumerConfig = {
  compilerOptions: {
    target: 'es2024',
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
    outDir: 'built',
  },
  files: ['consumer.mts'],
};

describe('the public API', () => {
  const tsc = join(root, 'node_modules/.bin/tsc');

  test('type-checks in a strict project, declarations included, and does what it says', async () => {
    await writeFile(join(app, 'consumer.mts'), consumer);
    await writeFile(join(app, 'tsconfig.json'), JSON.stringify(consumerConfig));
    await shell.succeed(tsc, ['-p', '.'], app);
    const printed = await shell.succeed(process.execPath, ['built/consumer.mjs'], app);
    expect(JSON.parse(printed)).toMatchObject({
      name: 'greet',
      counts: { done: 1, dead: 0 },
      state: 'done',
      problems: [{ property: 'text' }, { property: 'style' }],
    });
  });

  test('finds the misspelt setting of a program before it runs', async () => {
    await writeFile(join(app, 'mistaken.mts'), mistaken);
    const config = { ...consumerConfig, files: ['mistaken.mts'] };
    await writeFile(join(app, 'tsconfig.json'), JSON.stringify(config));
    const { code, stdout } = await shell.run(tsc, ['-p', '.'], app);
    expect(code).not.toBe(0);
    expect(stdout).toMatch(/^mistaken\.mts.*'run\.concurency'/m);
  });

  test('is all that can be imported, besides the schemas', async () => {
    const imports = (specifier: string) =>
      shell.run(process.execPath, ['--input-type=module', '-e', `import '${specifier}'`], app);
    expect(await imports(manifest.name)).toMatchObject({ code: 0 });
    expect(await imports(`${manifest.name}/dist/cli/main.js`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('ERR_PACKAGE_PATH_NOT_EXPORTED'),
    });
    const schema = `const { default: s } = await import('${manifest.name}/schema/agent.schema.json', { with: { type: 'json' } }); process.stdout.write(s.$schema)`;
    const printed = await shell.succeed(
      process.execPath,
      ['--input-type=module', '-e', schema],
      app,
    );
    expect(printed).toContain('json-schema.org');
  });
});
