/** What would go wrong silently or much later is refused, or said, when the command is typed. */

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EndpointProcess, type Finished, Project } from '../../support/project.ts';

const bin = fileURLToPath(new URL('../../../bin/aiq.js', import.meta.url));

let endpoint: EndpointProcess;
let project: Project;

beforeAll(async () => {
  endpoint = await EndpointProcess.start('aiq-offline');
  project = await Project.make(endpoint.env);
  await addAgent('sound', 'Say hello.', "'{{job.shortId}}.txt'");
  await addAgent('no-variable', 'Say {{nope}}.', "'x.txt'");
  await addAgent('no-helper', 'Say {{shout input.text}}.', "'x.txt'");
  await addAgent('no-end', 'Say {{#if input.text}}.', "'x.txt'");
  await addAgent('upwards', 'Say hello.', "'../{{job.shortId}}.txt'");
  await addAgent('absolute', 'Say hello.', "'/etc/x.txt'");
  await addAgent('named', 'Say hello.', "'{{input.name}}/x.txt'");
});

afterAll(async () => {
  await project.remove();
  await endpoint.stop();
});

async function addAgent(name: string, instructions: string, file: string): Promise<void> {
  await mkdir(join(project.dir, 'agents', name), { recursive: true });
  await project.write(
    `agents/${name}/agent.yaml`,
    `description: Says something.
instructions: '${instructions}'
prompt: 'Hello.'
input:
  primary: text
  schema:
    type: object
    additionalProperties: false
    properties:
      text: { type: string }
      name: { type: string, default: x }
      numbers: { type: array, items: { type: integer } }
      id: { type: string, description: Whose it is }
      help: { type: boolean }
      URLPath: { type: string }
      two words: { type: integer }
output: { file: ${file} }
`,
  );
}

/** `aiq …` in a shell, where standard input and output can be anything. */
function shell(script: string): Promise<Finished> {
  const env = { PATH: process.env['PATH'], HOME: project.dir, NO_COLOR: '1', ...endpoint.env };
  const aiq = `'${process.execPath}' '${bin}'`;
  return new Promise((resolve) => {
    const options = { cwd: project.dir, env };
    execFile('sh', ['-c', script.replaceAll('aiq ', `${aiq} `)], options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), signal: null, stdout, stderr }),
    );
  });
}

/** Jobs that wait in a queue. */
async function waitingIn(queue: string): Promise<number> {
  const { stdout } = await project.aiq('jobs', 'list', '--queue', queue, '--json');
  return stdout.split('\n').filter((line) => line.includes('"ready"')).length;
}

const unusable: [name: string, reason: RegExp][] = [
  ['no-variable', /agents\/no-variable\/agent\.yaml:2:\d+: .*nope/],
  ['no-helper', /agents\/no-helper\/agent\.yaml:2:\d+: unknown helper "shout"/],
  ['no-end', /agents\/no-end\/agent\.yaml:\d+:\d+: /],
  ['upwards', /agents\/upwards\/agent\.yaml:\d+:\d+: output\.file: .*leaves the output folder/],
  ['absolute', /agents\/absolute\/agent\.yaml:\d+:\d+: output\.file: .*absolute/],
];

describe('an agent whose templates cannot work', () => {
  test.each(unusable)('gets no jobs: %s', async (name, reason) => {
    for (const flags of [[], ['--wait']]) {
      const refused = await project.aiq('enqueue', name, '--text', 'x', ...flags);
      expect(refused, refused.stderr).toMatchObject({ code: 3, stdout: '' });
      expect(refused.stderr).toMatch(reason);
    }
    await project.write('line.jsonl', '{"text":"x"}\n');
    expect((await project.aiq('enqueue', name, '--jsonl', 'line.jsonl')).code).toBe(3);
    expect(await waitingIn(name)).toBe(0);
  });

  test('is a row of the list, with its reason', async () => {
    const { code, stdout } = await project.aiq('agents', 'list');
    expect(code).toBe(0);
    for (const [name, reason] of unusable) {
      const row = stdout.split('\n').find((line) => line.startsWith(`${name}\t`));
      expect(row).toMatch(/\tbroken: /);
      expect(row).toMatch(reason);
    }
  });

  test.each(unusable)('is an error when run is to serve it by name: %s', async (name, reason) => {
    const refused = await project.aiq('run', '--agents', `${name},sound`, '--until-empty');
    expect(refused, refused.stderr).toMatchObject({ code: 3 });
    expect(refused.stderr).toMatch(reason);
  });
});

test('run says which jobs wait for agents that it does not have', async () => {
  await addAgent('leaving', 'Say hello.', "'x.txt'");
  await project.aiq('enqueue', 'leaving', '--text', 'x');
  await addAgent('leaving', 'Say {{nope}}.', "'x.txt'");
  const ran = await project.aiq('run', '--until-empty');
  expect(ran, ran.stderr).toMatchObject({ code: 0 });
  expect(ran.stderr).toMatch(/^warning: 1 job waits in queue "leaving"/m);
  const named = await project.aiq('run', '--agents', 'sound', '--until-empty');
  expect(named.stderr).not.toContain('leaving');
});

describe('standard input that nobody mentioned', () => {
  test('is not read for a property that the agent can do without', async () => {
    // Whoever read it would find it empty.
    const added = await shell('sleep 1 | aiq enqueue sound --name a');
    expect(added.stdout, added.stderr).toMatch(/^[0-9a-z]{12}\n$/);
  });

  test('is read for a required one, and said when nothing comes', async () => {
    // Nothing comes before it was said.
    const feed = 'until grep -qs "reading standard input" said; do sleep 0.1; done; echo Text.';
    const added = await shell(`(${feed}) | aiq enqueue summarize 2>said`);
    expect(added.stdout, await project.read('said')).toMatch(/^[0-9a-z]{12}\n$/);
    const quiet = await shell('(sleep 2; echo Text.) | aiq enqueue summarize --quiet');
    expect(quiet.stderr).toBe('');
  });
});

const refusals: [args: string[], code: number, ...texts: (string | RegExp)[]][] = [
  [['summarize', '--text', 'a', '--text', 'b'], 2, /--text is given twice/, '--jsonl'],
  [['summarize', '--text', 'a', '--id', ''], 2, /--id is empty/],
  [['summarize', '--text', 'a', '--id', 'a', '--id', 'b'], 2, /--id is given twice/],
  [
    ['summarize', '--text', 'a', '--style', 'prose', '--style', 'bullet'],
    3,
    /style +takes one value, but "prose" and "bullet" were given/,
  ],
  [['summarize', '--text', 'a', '--set', 'points:=1', '--set', 'points=2'], 2, /given twice/],
  [
    ['sound', '--numbers', 'x', '--numbers', '1', '--numbers', 'y'],
    3,
    /numbers\.0 +"x" is not a whole number/,
    /numbers\.2 +"y" is not a whole number/,
  ],
  [['sound', '--name', '@none.txt'], 3, 'no such file: none.txt', '--name @@none.txt'],
  [['sound', '--set', 'name=@none.txt'], 3, '--set name=@@none.txt'],
  [['named', '--name', '..'], 3, 'output.file: input.name gives no file name'],
];

test.each(refusals)('enqueue %j exits with %d', async (args, code, ...texts) => {
  const refused = await project.aiq('enqueue', ...args);
  expect(refused, refused.stderr).toMatchObject({ code, stdout: '' });
  for (const text of texts) expect(refused.stderr).toMatch(text);
});

test('a file of lines that is missing is not taken for text', async () => {
  const refused = await project.aiq('enqueue', 'summarize', '--jsonl', 'none.jsonl');
  expect(refused).toMatchObject({ code: 3 });
  expect(refused.stderr).toContain('no such file: none.jsonl');
  expect(refused.stderr).not.toContain('--text');
});

test('a line whose result would have no path is reported with its number', async () => {
  await project.write('names.jsonl', '{"name":"fine"}\n{"name":".."}\n');
  const added = await project.aiq('enqueue', 'named', '--jsonl', 'names.jsonl');
  expect(added, added.stderr).toMatchObject({ code: 9 });
  expect(added.stderr).toMatch(/names\.jsonl:2 .*input\.name gives no file name/);
});

test('run refuses an empty model', async () => {
  const refused = await project.aiq('run', '--until-empty', '--model', '');
  expect(refused).toMatchObject({ code: 2 });
  expect(refused.stderr).toMatch(/--model is empty/);
});

describe('two inputs that are one job', () => {
  test('are told as such', async () => {
    await project.write('a.txt', 'The same text.');
    await project.write('b.txt', 'The same text.');
    const added = await project.aiq('enqueue', 'summarize', 'a.txt', 'b.txt');
    expect(new Set(added.stdout.trim().split('\n')).size, added.stderr).toBe(1);
    expect(added.stderr).toContain('b.txt is the same job as a.txt');
    expect(added.stderr).not.toContain('already');
    const again = await project.aiq('enqueue', 'summarize', 'a.txt');
    expect(again.stderr).toContain('already queued');
  });

  test('are no "other jobs" when one of them is waited for', async () => {
    const waited = await project.aiq('enqueue', 'sound', '--text', 'Only mine.', '--wait');
    expect(waited, waited.stderr).toMatchObject({ code: 0 });
    expect(waited.stderr).not.toContain('other job');
  });
});

describe('properties with names that no flag can have', () => {
  test('do not break the help, which says how to give them', async () => {
    const { code, stdout } = await project.aiq('enqueue', 'sound', '--help');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Usage: aiq enqueue/);
    expect(stdout).toMatch(/^ +--set id=<text> +Whose it is$/m);
    expect(stdout).toMatch(/^ +--set help=/m);
    expect(stdout).toMatch(/^ +--set two words=<n>/m);
    expect(stdout).toMatch(/^ +--url-path <text>/m);
    // Its --text is ours, and means the same.
    expect(stdout).not.toContain('--set text=');
    const shown = await project.aiq('agents', 'show', 'sound');
    expect(shown.stdout).toMatch(/^--set id= +string/m);
  });

  test('are told by validate, which still finds no fault', async () => {
    const validated = await project.aiq('agents', 'validate', 'sound');
    expect(validated, validated.stderr).toMatchObject({ code: 0, stdout: '' });
    expect(validated.stderr).toMatch(/agents\/sound\/agent\.yaml:6: .*--set id=/);
    expect(validated.stderr).toMatch(/--set help=/);
  });

  test('have no flag in render either, but are set as in enqueue', async () => {
    expect((await project.aiq('agents', 'render', 'sound', '--id', 'x')).code).toBe(2);
    const rendered = await project.aiq('agents', 'render', 'sound', '--set', 'id=x');
    expect(rendered, rendered.stderr).toMatchObject({ code: 0 });
  });
});

test('a token that a broker refuses is told with its file, and with the place of the right one', async () => {
  const flags = ['--dir', 'served', '--listen', 'tcp://127.0.0.1:0', '--json'];
  const { child, finished } = project.start('broker', 'start', ...flags);
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  const { tcp } = JSON.parse(line.toString()) as { tcp: { port: number } };
  const list = `aiq jobs list --broker tcp://127.0.0.1:${tcp.port}`;
  await project.write('wrong', 'x'.repeat(64));
  for (const file of ['wrong', 'missing']) {
    const refused = await shell(`AIQ_BROKER_TOKEN_FILE=${file} ${list}`);
    expect(refused, refused.stderr).toMatchObject({ code: 4, stdout: '' });
    expect(refused.stderr).toContain(`token from: ${join(project.dir, file)}`);
    expect(refused.stderr).toMatch(/<its folder>\/token.*brokerTokenFile.*AIQ_BROKER_TOKEN_FILE/);
  }
  const right = await shell(`AIQ_BROKER_TOKEN_FILE=served/token ${list}`);
  expect(right, right.stderr).toMatchObject({ code: 0 });
  child.kill('SIGTERM');
  expect((await finished).code).toBe(0);
});

test('a broker folder that others may enter is not believed: exit 6, with the fix', async () => {
  const dir = join(project.dir, 'open');
  await mkdir(dir);
  const { dev, ino } = await stat(dir);
  const folder = `${dev}:${ino}`;
  const endpoints = { brokerId: '0'.repeat(26), pid: 1, startedAtMs: 1, software: 'aiq/0', folder };
  const tcp = { host: '127.0.0.1', port: 9 };
  await project.write('open/endpoints.json', JSON.stringify({ ...endpoints, unix: null, tcp }));
  await chmod(dir, 0o755);
  for (const command of [
    ['queues', 'list'],
    ['broker', 'status'],
    ['broker', 'stop'],
  ]) {
    const refused = await project.aiq(...command, '--broker', `file:${dir}`);
    expect(refused, command.join(' ')).toMatchObject({ code: 6, stdout: '' });
    expect(refused.stderr).toContain(`chmod 700 ${dir}`);
  }
});

test('a broker whose folder cannot be made exits with 6', async () => {
  await project.write('file', 'No folder.');
  const refused = await project.aiq('broker', 'start', '--dir', 'file/below');
  expect(refused).toMatchObject({ code: 6 });
  expect(refused.stderr).toMatch(/^error: .*file\/below/m);
});

test('a variable that is no setting, and a folder that is not there, are told', async () => {
  const told = await shell('AIQ_RUN_CONCURENCY=2 AIQ_AGENT_PATHS=./nowhere aiq agents list');
  expect(told.code).toBe(0);
  expect(told.stderr).toMatch(
    /AIQ_RUN_CONCURENCY is no setting\. Did you mean "?AIQ_RUN_CONCURRENCY/,
  );
  expect(told.stderr).toMatch(/no such folder: .*nowhere/);
});

test.skipIf(process.platform !== 'linux')(
  'output that cannot be written is one line and exit 1; a reader that left is none',
  async () => {
    const full = await shell('aiq agents list >/dev/full');
    expect(full).toMatchObject({ code: 1 });
    expect(full.stderr).toMatch(/^error: .*ENOSPC[^\n]*\n$/);
    const left = await shell('aiq agents show summarize | true');
    expect(left.stderr).toBe('');
  },
);
