/** The Python client of `examples/clients/`, written from `docs/reference/protocol.md` alone, against a real broker. */

import { type ChildProcess, execFile, spawnSync } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type RunningBroker, startBroker } from '../../../core/broker/index.ts';
import {
  errorCodes,
  type InspectedJob,
  type JobQueue,
  jobStates,
  type LeasedJob,
  newJob,
  openQueue,
} from '../../../core/job-queue/index.ts';

const clients = fileURLToPath(new URL('../../../examples/clients/', import.meta.url));
const script = path.join(clients, 'aiq_client.py');
const hasPython =
  spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0;
/** Without the packages of the machine (-S), and leaving no compiled files behind (-B). */
const pythonFlags = ['-S', '-B'];

let base: string;
let dir: string;
let broker: RunningBroker;
let queue: JobQueue;
const children = new Set<ChildProcess>();

beforeEach(async () => {
  base = await fs.mkdtemp(path.join(os.tmpdir(), 'aiq-python-'));
  dir = path.join(base, 'broker');
  const tcp = { host: '127.0.0.1', port: 0 };
  broker = await startBroker({ dir, unix: true, tcp, idleExitMs: null, leaseMs: 1000 });
  queue = await openQueue({
    broker: `unix:${dir}/broker.sock`,
    tokenFile: null,
    clientName: 'test',
  });
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await queue.close();
  await broker.stop();
  await fs.rm(base, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function runIn(cwd: string, file: string, args: readonly string[], stdin = ''): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(file, args, { cwd }, (_error, stdout, stderr) => {
      children.delete(child);
      resolve({ code: child.exitCode, stdout, stderr });
    });
    children.add(child);
    child.stdin?.end(stdin);
  });
}

function runPython(args: readonly string[], stdin?: string): Promise<Ended> {
  return runIn(base, 'python3', [...pythonFlags, ...args], stdin);
}

/** Runs the client on the folder of the test's broker. */
function client(command: string, args: readonly string[], stdin?: string): Promise<Ended> {
  return runPython([script, command, '--folder', dir, ...args], stdin);
}

/** Runs lines of Python that use the client as a module. */
function withModule(lines: readonly string[], args: readonly string[] = []): Promise<Ended> {
  const code = ['import json, sys', `sys.path.insert(0, sys.argv[1])`, 'import aiq_client as aiq'];
  return runPython(['-c', [...code, ...lines].join('\n'), clients, ...args]);
}

async function inspect(id: string): Promise<InspectedJob> {
  const [found] = await queue.inspect(id, { withJob: true });
  if (found === undefined) throw new Error(`no job ${id}`);
  return found;
}

const idOf = ({ stdout }: Ended): string => stdout.slice(0, 26);
const jobOf = (input: unknown) =>
  newJob({ agent: 'echo', queue: 'echo', agentDigest: 'ab'.repeat(32), input });

const leftOut = 'left out: install Python 3.9 or newer as python3';

describe.skipIf(!hasPython)(`the Python client (${leftOut})`, () => {
  test('adds jobs, consumes them in order and acknowledges them', async () => {
    const added = await client('enqueue', ['echo', '-'], '{"n": 1, "word": "Grüße"}');
    expect(added).toMatchObject({ code: 0, stderr: '' });
    expect(added.stdout).toMatch(/^[0-9a-hjkmnp-tv-z]{26} created ready\n$/);
    const file = path.join(base, 'second.json');
    await fs.writeFile(file, '{"n": 2}');
    expect(await client('enqueue', ['echo', file])).toMatchObject({ code: 0 });

    const consumed = await client('consume', ['echo', '--count', '2']);
    expect(consumed).toEqual({
      code: 0,
      stdout: '{"n": 1, "word": "Grüße"}\n{"n": 2}\n',
      stderr: '',
    });
    expect((await inspect(idOf(added))).info).toMatchObject({ state: 'done', deliveries: 1 });
    const [echo] = JSON.parse((await client('stats', [])).stdout);
    expect(echo).toMatchObject({ queue: 'echo', paused: false, ready: 0, done: 2, consumers: 0 });
  });

  test('consumes what aiq added, and takes no job more than it asked for', async () => {
    const jobs = [jobOf({ text: 'one' }), jobOf({ text: 'two' })];
    await queue.enqueue(jobs);
    const { code, stdout } = await client('consume', ['echo']);
    expect({ code, body: JSON.parse(stdout) }).toEqual({
      code: 0,
      body: { input: { text: 'one' } },
    });
    const infos = await Promise.all(jobs.map(async ({ id }) => (await inspect(id)).info));
    expect(infos).toMatchObject([
      { state: 'done', deliveries: 1 },
      { state: 'ready', deliveries: 0, returns: 0 },
    ]);
  });

  test('adds what aiq consumes, byte for byte', async () => {
    const body = '{"input": {"text": "from Python"}}';
    const id = idOf(await client('enqueue', ['echo', '-', '--agent', 'parrot'], body));
    const { promise, resolve, reject } = Promise.withResolvers<LeasedJob>();
    const options = { queues: ['echo'], credit: 1, onDelivery: resolve, onLeaseLost: reject };
    const consumer = await queue.consume(options);
    const taken = await promise;
    await consumer.close();
    expect(taken).toMatchObject({ attempt: 1, isolated: false, job: { id } });
    expect(taken.job).toMatchObject({ queue: 'echo', agent: 'parrot' });
    expect(new TextDecoder().decode(taken.job.body)).toBe(body);
  });

  test('hears that a job exists, and that other content under its id is a conflict', async () => {
    const args = ['echo', '-', '--id', 'order 17'];
    const first = await client('enqueue', args, '{"n": 1}');
    const again = await client('enqueue', args, '{"n": 1}');
    expect(again).toMatchObject({ code: 0, stdout: `${idOf(first)} exists ready\n` });
    const other = await client('enqueue', args, '{"n": 2}');
    expect(other).toMatchObject({ code: 1, stdout: '' });
    expect(other.stderr).toMatch(/^CONFLICT: /);
  });

  test('proves its token over TCP; a wrong one is UNAUTHORIZED', async () => {
    const { tcp } = broker.addresses;
    const address = ['--broker', `${tcp?.host}:${tcp?.port}`];
    expect(await client('stats', address)).toMatchObject({ code: 0, stdout: '[]\n' });
    const wrong = path.join(base, 'wrong');
    await fs.writeFile(wrong, 'ab'.repeat(32), { mode: 0o600 });
    const refused = await client('stats', [...address, '--token-file', wrong]);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^UNAUTHORIZED: /);
    for (const host of ['localhost.example.org', '127.1', '192.0.2.1']) {
      const beyond = await client('stats', ['--broker', `${host}:${tcp?.port}`]);
      expect(beyond).toMatchObject({ code: 1, stdout: '' });
      expect(beyond.stderr).toMatch(/^UNTRUSTED: /);
    }
    await fs.chmod(wrong, 0o644);
    const open = await client('stats', [...address, '--token-file', wrong]);
    expect(open.stderr).toMatch(/^UNTRUSTED: .*wrong/);
  });

  test('notices damage on either way: the broker refuses the job, and so does the client', async () => {
    const lines = [
      'job = bytearray(aiq.encode_job(bytes(16), "echo", b"{}"))',
      'job[-1] ^= 1',
      'client = aiq.connect(sys.argv[2], None, None)',
      'for take in (client.enqueue, aiq.decode_job):',
      '    try: take(bytes(job)); print("accepted")',
      '    except aiq.AiqError as error: print(error.code)',
    ];
    expect(await withModule(lines, [dir])).toMatchObject({ stdout: 'CHECKSUM\nCHECKSUM\n' });
    expect((await queue.list({})).jobs).toEqual([]);
  });

  test('renews its lease while a command works, and settles as that ended', async () => {
    const id = idOf(await client('enqueue', ['echo', '-'], '{}'));
    const failed = await client('consume', ['echo', '--exec', 'false']);
    expect(failed).toMatchObject({ code: 0, stdout: '{}\n' });
    expect((await inspect(id)).info).toMatchObject({
      state: 'ready',
      attempts: 1,
      errorCode: 'failed',
    });
    // Longer than the lease of one second: unrenewed it would be lost, and settling it refused.
    expect(await client('consume', ['echo', '--exec', 'sleep 1.5'])).toMatchObject({ code: 0 });
    expect((await inspect(id)).info).toMatchObject({ state: 'done', deliveries: 2, crashes: 0 });
  });

  test('stops the command of a job that was cancelled', async () => {
    const id = idOf(await client('enqueue', ['echo', '-'], '{}'));
    const consuming = client('consume', ['echo', '--exec', 'sleep 60']);
    while ((await inspect(id)).info.state !== 'leased') await new Promise(setImmediate);
    await queue.cancel([id]);
    expect(await consuming).toMatchObject({
      code: 1,
      stderr: 'BAD_STATE: the job was cancelled\n',
    });
  });

  test('fetches a body that is too large to travel with its job', async () => {
    const input = { text: 'grün'.repeat(150_000) };
    await queue.enqueue([jobOf(input)]);
    const { code, stdout, stderr } = await client('consume', ['echo']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ input });
  });

  test('gives a job back as it is told', async () => {
    const id = idOf(await client('enqueue', ['echo', '-'], '{}'));
    await client('consume', ['echo', '--nack', 'retry']);
    await client('consume', ['echo', '--nack', 'returned']);
    expect((await inspect(id)).info).toMatchObject({ state: 'ready', attempts: 1, returns: 1 });
    await client('consume', ['echo', '--nack', 'final']);
    expect((await inspect(id)).info).toMatchObject({ state: 'dead', attempts: 2 });
  });

  test('says what is wrong with its input or that nobody answers, each with its exit code', async () => {
    const noJson = await client('enqueue', ['echo', '-'], 'no json');
    expect(noJson).toMatchObject({ code: 2, stdout: '' });
    const badQueue = await client('enqueue', ['No Queue', '-'], '{}');
    expect(badQueue).toMatchObject({ code: 1, stdout: '' });
    expect(badQueue.stderr).toMatch(/^BAD_JOB: .*No Queue/);
    const nobody = await runPython([script, 'stats', '--folder', path.join(base, 'none')]);
    expect(nobody).toMatchObject({ code: 6, stdout: '' });
    expect(nobody.stderr).toMatch(/^UNREACHABLE: .*endpoints\.json.*aiq broker start/);
  });

  test('hands back a delivery that was damaged on the way, uncharged and for a while', async () => {
    const id = idOf(await client('enqueue', ['echo', '-'], '{}'));
    const lines = [
      'read = aiq.decode_job',
      'aiq.decode_job = lambda raw: read(raw[:-1] + bytes([raw[-1] ^ 1]))',
      'sys.argv[1:] = ["consume", "--folder", sys.argv[2], "echo"]',
      'aiq.main()',
    ];
    const refused = await withModule(lines, [dir]);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^CHECKSUM: /);
    const charged = { attempts: 0, returns: 1, errorCode: 'checksum' };
    expect((await inspect(id)).info).toMatchObject({ state: 'delayed', ...charged });
  });

  test('runs as its README prints it', async () => {
    const readme = await fs.readFile(path.join(clients, 'README.md'), 'utf8');
    const block = /```\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    expect(block).toContain('python3 examples/clients/aiq_client.py');
    await fs.symlink(dir, path.join(base, '.aiq'));
    await fs.symlink(path.dirname(clients), path.join(base, 'examples'));
    const { code, stdout, stderr } = await runIn(base, '/bin/sh', ['-e', '-c', block]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^\w{26} created ready\n\{"input": \{"text": "hello"\}\}\n\n\[/);
  });

  test('knows every error code of a broker and every state of a job', async () => {
    const { stdout } = await withModule(['print(json.dumps([aiq.ERRORS, aiq.STATES]))']);
    const sent = Object.entries(errorCodes).filter(([, { number }]) => number < 60);
    const names = Object.fromEntries(sent.map(([name, { number }]) => [String(number), name]));
    expect(JSON.parse(stdout)).toEqual([names, Object.keys(jobStates)]);
  });
});
