/** Beginning, looking around and making agents: `init`, `doctor`, `config`, `agents`, `completion`. */

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Finished, Project } from '../../support/project.ts';

let project: Project;

beforeEach(async () => {
  project = await Project.make({ AIQ_PROVIDER: 'offline' });
});

afterEach(async () => {
  await project.remove();
});

const succeed = (...args: string[]): Promise<Finished> => project.succeed(...args);

describe('init', () => {
  test('makes a folder in which everything passes its checks, and a second one changes nothing', async () => {
    const made = await succeed('init', 'essays');
    expect(made.stdout.trim().split('\n')).toEqual([
      'essays/aiq.config.yaml',
      'essays/agents/one-line/agent.yaml',
      'essays/docs/four-freedoms.md',
      'essays/.gitignore',
    ]);
    await project.write('essays/agents/one-line/agent.yaml', 'mine');
    const again = await succeed('init', 'essays');
    expect(again.stdout).toBe('');
    expect(again.stderr).toContain('kept essays/agents/one-line/agent.yaml');
    expect(await project.read('essays/agents/one-line/agent.yaml')).toBe('mine');
  });

  test('here: the example agent and the built-in ones are sound and give results', async () => {
    await succeed('init');
    const validated = await succeed('agents', 'validate');
    expect(validated.stderr).toMatch(/ok: .*one-line.*summarize/);
    const sample = 'docs/four-freedoms.md';
    const waited = await succeed('enqueue', 'one-line', sample, '--tone', 'formal', '--wait');
    expect(waited.stdout.length).toBeGreaterThan(20);
    expect(await project.list('out', 'one-line')).toHaveLength(1);
  });

  test('does not write into a file', async () => {
    await project.write('notes', 'text');
    const refused = await project.aiq('init', 'notes');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('notes is a file; nothing was written');
    expect(await project.read('notes')).toBe('text');
  });

  test('says what is in its way, and what an own .gitignore should have', async () => {
    await project.write('docs', 'text');
    const refused = await project.aiq('init');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('docs is a file');
    expect(refused.stderr).not.toContain('kept docs');
    await rm(join(project.dir, 'docs'));
    await project.write('.gitignore', 'node_modules/\n.env\n');
    expect((await succeed('init')).stderr).toMatch(/\.gitignore.*\.aiq\/.* out\/$/m);
    expect(await project.read('.gitignore')).toBe('node_modules/\n.env\n');
  });
});

describe('agents', () => {
  test('new writes one that works, also as a copy, and never overwrites', async () => {
    expect((await succeed('agents', 'new', 'notes')).stdout).toBe('agents/notes/agent.yaml\n');
    await succeed('agents', 'new', 'short-notes', '--from', 'summarize');
    await succeed('agents', 'validate', 'notes', 'short-notes');
    expect(await project.read('agents/short-notes/agent.yaml')).toMatch(/^name: short-notes$/m);
    for (const name of ['notes', 'short-notes']) {
      const text = await project.read('agents', name, 'agent.yaml');
      expect(text).toMatch(/^# yaml-language-server: \$schema=\S+agent\.schema\.json\n/);
    }
    const refused = await project.aiq('agents', 'new', 'notes');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('agents/notes already exists');
  });

  test('new tells that an agent takes the place of the built-in one', async () => {
    const { stderr } = await succeed('agents', 'new', 'summarize');
    expect(stderr).toMatch(/^warning: .*"summarize".*built-in/m);
  });

  test('new refuses a name that is none and a source that is not there, and writes nothing', async () => {
    expect((await project.aiq('agents', 'new', 'My Agent')).code).toBe(2);
    expect((await project.aiq('agents', 'new', '../up')).code).toBe(2);
    expect((await project.aiq('agents', 'new', 'con')).stderr).toContain('Windows');
    const unknown = await project.aiq('agents', 'new', 'mine', '--from', 'sumarize');
    expect(unknown.code).toBe(5);
    expect(unknown.stderr).toContain('summarize');
    expect(await project.list('agents')).toEqual([]);
  });

  test('show tells every field, with the flags that enqueue takes', async () => {
    const { stdout } = await succeed('agents', 'show', 'summarize');
    expect(stdout).toMatch(/^queue +summarize$/m);
    expect(stdout).toMatch(/^--style +bullet \| prose; default "bullet"/m);
    expect(stdout).toMatch(/^==> instructions\nYou sum up one text/m);
    const agent = JSON.parse((await succeed('agents', 'show', 'summarize', '--json')).stdout);
    expect(agent).toMatchObject({ name: 'summarize', retry: { attempts: 4 } });
    expect((await project.aiq('agents', 'show', 'sumarize')).code).toBe(5);
  });

  test('schema prints the schema that was asked for', async () => {
    const titles = async (...args: string[]) => JSON.parse((await succeed(...args)).stdout);
    expect(await titles('agents', 'schema')).toEqual(await titles('agents', 'schema', '--agent'));
    expect((await titles('config', 'schema')).properties).toHaveProperty('broker');
    const input = await titles('agents', 'schema', '--input', 'summarize');
    expect(input.properties.style.enum).toEqual(['bullet', 'prose']);
    expect((await project.aiq('agents', 'schema', '--agent', '--input', 'summarize')).code).toBe(2);
  });
});

describe('config', () => {
  test('list --show-origin names the source of each setting', async () => {
    await project.write('aiq.config.yaml', 'model: m1\nrun:\n  grace: 5s\n');
    await project.write('.env', 'AIQ_RUN_THREADS=1\n');
    const args = ['--broker', 'unix:./b.sock', 'config', 'list', '--show-origin'];
    const { stdout } = await succeed(...args);
    const origins = new Map(
      stdout
        .trim()
        .split('\n')
        .map((line) => {
          const [path = '', value, origin] = line.split('\t');
          return [path, [value, origin]];
        }),
    );
    expect(origins.get('model')).toEqual(['m1', 'aiq.config.yaml:1']);
    expect(origins.get('run.grace')).toEqual(['5s', 'aiq.config.yaml:3']);
    expect(origins.get('provider')).toEqual(['offline', 'AIQ_PROVIDER']);
    expect(origins.get('run.threads')).toEqual([
      '1',
      `AIQ_RUN_THREADS in ${join(project.dir, '.env')}`,
    ]);
    expect(origins.get('broker')).toEqual([`unix:${join(project.dir, 'b.sock')}`, 'flag']);
    expect(origins.get('run.concurrency')).toEqual(['8', 'default']);
  });

  test('path prints the file that counts, or exits with 5', async () => {
    expect((await project.aiq('config', 'path')).code).toBe(5);
    await project.write('aiq.config.yaml', '');
    expect((await succeed('config', 'path')).stdout.trim()).toBe(
      join(project.dir, 'aiq.config.yaml'),
    );
  });
});

describe('doctor', () => {
  test('finds nothing amiss in a new folder, starts no broker and leaves nothing behind', async () => {
    const { stdout } = await succeed('doctor');
    for (const row of [
      'node',
      'clock',
      'config',
      'agents',
      'broker',
      'disk',
      'output',
      'provider',
    ]) {
      expect(stdout).toMatch(new RegExp(`^ok +${row} `, 'm'));
    }
    expect(await project.list()).toEqual([]);
    expect(await project.brokerPid()).toBeNull();
  });

  test('tells a bad configuration, and exits as other commands would', async () => {
    await project.write('aiq.config.yaml', 'run:\n  concurency: 8\n');
    const sick = await project.aiq('doctor', '--json');
    expect(sick.code).toBe(3);
    expect(sick.stdout).toMatch(/"status":"fail".*aiq\.config\.yaml:2:3/);
  });

  test('asks the provider with the key: a refused one is exit 4, nobody there as well', async () => {
    const server = createServer((_, answer) => answer.writeHead(401).end('{}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const address = `http://127.0.0.1:${port}/v1`;
    await project.write('.env', `KEY=sk-wrong-key-123\n`);
    await project.write(
      'aiq.config.yaml',
      `providers:\n  mine: { baseURL: '${address}', apiKey: '\${env:KEY}', model: m }\n`,
    );
    await project.write('mine.yaml', await project.read('aiq.config.yaml'));
    const refused = await mine();
    server.close();
    expect(refused.code).toBe(4);
    expect(refused.stdout).toMatch(/^fail +provider +.*HTTP 401$/m);
    expect(refused.stdout).not.toContain('sk-wrong-key');
    expect((await mine()).stdout).toMatch(/^fail +provider +.*ECONNREFUSED/m);
  });

  test('tells a key that is not set by its variable', async () => {
    const address = 'http://127.0.0.1:9/v1';
    await project.write(
      'aiq.config.yaml',
      `providers:\n  mine: { baseURL: '${address}', apiKey: '\${env:NO_KEY}', model: m }\n`,
    );
    const refused = await mine();
    expect(refused.code).toBe(4);
    expect(refused.stdout).toMatch(/^fail +provider +.*NO_KEY is not set/m);
  });

  test('tells an output folder that is a file, or a link that leads nowhere', async () => {
    const out = join(project.dir, 'out');
    await project.write('out', 'text');
    const isFile = await project.aiq('doctor');
    expect(isFile).toMatchObject({ code: 3 });
    expect(isFile.stdout).toMatch(new RegExp(`^fail +output +.*${out} is a file`, 'm'));
    await rm(out);
    await symlink('nowhere', out);
    const dangling = await project.aiq('doctor');
    expect(dangling).toMatchObject({ code: 3 });
    expect(dangling.stdout).toMatch(
      new RegExp(`^fail +output +.*${out} is a link to nowhere`, 'm'),
    );
  });

  test('tells a broker address that nobody answers at, within seconds', async () => {
    const sick = await project.aiq('--broker', 'unix:./nobody.sock', 'doctor');
    expect(sick.code).toBe(6);
    expect(sick.stdout).toMatch(/^fail +broker /m);
  });

  /** With the provider of the file: the environment of the project would win. */
  async function mine(): Promise<Finished> {
    await project.write('.env', 'KEY=sk-wrong-key-123\n');
    const own = await promisify(execFile)(process.execPath, [bin, 'doctor'], {
      cwd: project.dir,
      env: { PATH: process.env['PATH'], HOME: project.dir, AIQ_PROVIDER: 'mine' },
    }).catch((error: { code: number; stdout: string; stderr: string }) => error);
    const { stdout, stderr } = own;
    return { code: 'code' in own ? own.code : 0, signal: null, stdout, stderr };
  }
});

test('broker start takes a number of I/O threads, for TCP only', async () => {
  expect((await project.aiq('broker', 'start', '--io-threads', '2')).stderr).toContain('--listen');
  const listen = ['broker', 'start', '--listen', 'tcp://127.0.0.1:0'];
  const refused = await project.aiq(...listen, '--io-threads', '65');
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain('is not a whole number from 1 to 64');
  const { child, finished } = project.start(...listen, '--io-threads', '2', '--json');
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  const { port } = (JSON.parse(line.toString()) as { tcp: { port: number } }).tcp;
  const address = `tcp://127.0.0.1:${port}`;
  const added = await project.aiq('--broker', address, 'enqueue', 'summarize', '--text', 'A text.');
  expect(added.code, added.stderr).toBe(0);
  child.kill('SIGINT');
  expect((await finished).code).toBe(0);
});

const bin = fileURLToPath(new URL('../../../bin/aiq.js', import.meta.url));

describe('completion in bash', () => {
  /** What the function that the script defines offers for the words. */
  async function offered(...words: string[]): Promise<string[]> {
    const shim = join(project.dir, 'shim');
    await mkdir(shim, { recursive: true });
    await writeFile(join(shim, 'aiq'), `#!/bin/sh\nexec '${process.execPath}' '${bin}' "$@"\n`);
    await chmod(join(shim, 'aiq'), 0o755);
    const script = `
      source <(aiq completion bash)
      COMP_WORDS=(aiq "$@")
      COMP_CWORD=$#
      _aiq
      [ \${#COMPREPLY[@]} -eq 0 ] || printf '%s\\n' "\${COMPREPLY[@]}"`;
    const env = { PATH: `${shim}:${process.env['PATH'] ?? ''}`, HOME: project.dir };
    const { stdout } = await promisify(execFile)('bash', ['-c', script, 'bash', ...words], {
      cwd: project.dir,
      env,
    });
    return stdout.split('\n').filter((line) => line !== '');
  }

  test('offers commands, flags, agents and values', async () => {
    expect(await offered('que')).toEqual(['queues']);
    expect(await offered('queues', 'p')).toEqual(['pause', 'purge']);
    expect(await offered('jobs', 'list', '--st')).toEqual(['--state']);
    expect(await offered('--json', 'jobs', 'list', '--state', 'de')).toEqual(['delayed', 'dead']);
    expect(await offered('enqueue', 'summ')).toEqual(['summarize']);
    expect(await offered('enqueue', 'summarize', '--sty')).toEqual(['--style']);
    expect(await offered('enqueue', 'summarize', '--style', '')).toEqual(['bullet', 'prose']);
    expect(await offered('run', '--provider', 'off')).toEqual(['offline']);
  });

  test('leaves files to the shell, and says nothing when something is amiss', async () => {
    expect(await offered('enqueue', 'summarize', 'art')).toEqual([]);
    expect(await offered('enqueue', 'no-such-agent', '--sty')).toEqual([]);
    expect(await offered('jobs', 'show', '')).toEqual([]);
    expect(await project.brokerPid()).toBeNull();
  });

  test('offers ids of jobs that the command can use', async () => {
    const id = (await succeed('enqueue', 'summarize', '--text', 'A text.')).stdout.trim();
    expect(await offered('jobs', 'cancel', id.slice(0, 3))).toEqual([id]);
    expect(await offered('jobs', 'result', '')).toEqual([]);
    expect(await offered('queues', 'show', '')).toEqual(['summarize']);
  });

  test('quotes what an agent made up, and never runs it', async () => {
    await succeed('agents', 'new', 'sly');
    const text = await project.read('agents/sly/agent.yaml');
    await project.write(
      'agents/sly/agent.yaml',
      text.replace('[plain, formal], default: plain', "['$(touch ran)', 'two words']"),
    );
    expect(await offered('enqueue', 'sly', '--tone', '')).toEqual([
      String.raw`\$\(touch\ ran\)`,
      String.raw`two\ words`,
    ]);
    expect(await project.list()).not.toContain('ran');
  });
});
