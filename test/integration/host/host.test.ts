/** Finding, starting, looking at and stopping the broker of a folder: real processes, real folders. */

import { spawn as startProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Client } from '../../../core/client/index.ts';
import {
  brokerStatus,
  ensureBroker,
  readEndpoints,
  type SpawnBroker,
  spawnBroker,
  stopBroker,
} from '../../../core/host/index.ts';
import { spawnProcess } from '../../../core/host/spawn.ts';
import { patienceMs } from '../../support/patience.ts';

let base: string;
let dir: string;

beforeEach(async () => {
  base = await fs.mkdtemp(path.join(os.tmpdir(), 'aiq-host-'));
  dir = path.join(base, 'broker');
});

afterEach(async () => {
  await stopBroker(dir);
  await fs.rm(base, { recursive: true, force: true });
});

const entry = fileURLToPath(new URL('../../../core/broker/main.ts', import.meta.url));

/** A broker that leaves after a tenth of a second without work. */
const spawnImpatient: SpawnBroker = (folder) =>
  spawnProcess(folder, [entry, '--dir', folder, '--idle-exit-ms', '2000']);

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

function brokerLog(): Promise<string> {
  return fs.readFile(path.join(dir, 'broker.log'), 'utf8');
}

/** The process of the folder's broker, which this test let start. */
async function brokerPid(): Promise<number> {
  const endpoints = await readEndpoints(dir);
  if (endpoints === null) throw new Error('no broker has written its endpoints');
  return endpoints.pid;
}

test('several sessions of one process that look for a broker start one process', async () => {
  let starts = 0;
  const spawn: SpawnBroker = (folder) => {
    starts += 1;
    return spawnBroker(folder);
  };
  const ensure = (): Promise<unknown> => ensureBroker({ dir, spawn });
  const found = await Promise.all([ensure(), ensure(), ensure()]);
  expect(starts).toBe(1);
  expect(new Set(found.map((endpoint) => JSON.stringify(endpoint))).size).toBe(1);
  const status = await brokerStatus(dir);
  expect(status).toMatchObject({ running: true, stats: { pid: await brokerPid() } });
});

test('of several processes started for one folder, one serves and the others leave quietly', async () => {
  const started = [spawnBroker(dir), spawnBroker(dir), spawnBroker(dir)];
  const ended = (): unknown[] => started.map(({ ending }) => ending).filter((end) => end !== null);
  while (ended().length < 2 || (await readEndpoints(dir)) === null) await pause();
  expect(ended()).toEqual([{ code: 75 }, { code: 75 }]);
  await ensureBroker({ dir, spawn: null });
  expect((await brokerLog()).match(/ serving /g)).toHaveLength(1);
});

test('the folder is made for its owner only', async () => {
  await ensureBroker({ dir, spawn: spawnBroker });
  expect((await fs.stat(dir)).mode & 0o777).toBe(0o700);
});

test('a folder whose path is too long for a socket works', async () => {
  dir = path.join(base, 'x'.repeat(90), 'y'.repeat(90));
  await ensureBroker({ dir, spawn: spawnBroker });
  expect(await brokerStatus(dir)).toMatchObject({ running: true });
});

test('a broker that was killed is replaced, and what it left behind misleads nobody', async () => {
  await ensureBroker({ dir, spawn: spawnBroker });
  const killed = await brokerPid();
  process.kill(killed, 'SIGKILL');
  await ensureBroker({ dir, spawn: spawnBroker });
  while ((await brokerPid()) === killed) await ensureBroker({ dir, spawn: spawnBroker });
  expect(await brokerStatus(dir)).toMatchObject({ running: true });
});

test('a broker without work leaves by itself, and the next client starts another', async () => {
  const spawn = spawnImpatient;
  await ensureBroker({ dir, spawn });
  const first = await brokerPid();
  while (!(await brokerLog()).includes('ended: idle')) await pause();
  expect(await readEndpoints(dir)).toBeNull();
  await ensureBroker({ dir, spawn });
  expect(await brokerPid()).not.toBe(first);
});

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('stop waits until the process is gone, and says when there is none', async () => {
  expect(await stopBroker(dir)).toBe('not running');
  expect(await brokerStatus(dir)).toEqual({ running: false });
  await ensureBroker({ dir, spawn: spawnBroker });
  const pid = await brokerPid();
  expect(await stopBroker(dir)).toBe('stopped');
  // Its number is free once this process, which started it, has collected it.
  await expect.poll(() => isThere(pid), { timeout: patienceMs }).toBe(false);
  expect(await brokerStatus(dir)).toEqual({ running: false });
});

test('with nothing to start, a folder without a broker is unreachable at once', async () => {
  const ensure = ensureBroker({ dir, spawn: null, deadlineMs: 3_600_000 });
  await expect(ensure).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringContaining('no broker runs there') as string,
  });
});

test('a process that never serves ends as UNREACHABLE with the last lines of its log', async () => {
  const slow = "console.error('still recovering'); setTimeout(() => {}, 3000)";
  const spawn: SpawnBroker = (folder) => spawnProcess(folder, ['-e', slow]);
  const ensure = ensureBroker({ dir, spawn, deadlineMs: 1_500 });
  await expect(ensure).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringMatching(/within 1500 ms[^]*still recovering[^]*broker\.log/) as string,
  });
});

test('a process that dies at once is reported with its reason, not waited for', async () => {
  const dying = "console.error('segment 7 is damaged'); process.exit(65)";
  const spawn: SpawnBroker = (folder) => spawnProcess(folder, ['-e', dying]);
  const ensure = ensureBroker({ dir, spawn, deadlineMs: 3_600_000 });
  await expect(ensure).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringMatching(/exit code 65[^]*segment 7 is damaged/) as string,
  });
});

test('a damaged log is reported with its place', async () => {
  await ensureBroker({ dir, spawn: spawnBroker });
  await stopBroker(dir);
  const [segment] = (await fs.readdir(path.join(dir, 'log'))).toSorted((a, b) => (a < b ? -1 : 1));
  await fs.writeFile(path.join(dir, 'log', segment ?? ''), Buffer.alloc(4096, 0x5a));
  const ensure = ensureBroker({ dir, spawn: spawnBroker, deadlineMs: 3_600_000 });
  await expect(ensure).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringContaining(segment ?? 'a segment') as string,
  });
});

test('a start that lost the folder to another is repeated when nobody serves after all', async () => {
  let starts = 0;
  const spawn: SpawnBroker = (folder) =>
    starts++ === 0 ? spawnProcess(folder, ['-e', 'process.exit(75)']) : spawnBroker(folder);
  await ensureBroker({ dir, spawn });
  expect(starts).toBe(2);
});

test('a client that is closed while it looks for the broker starts none afterwards', async () => {
  let starts = 0;
  const spawn: SpawnBroker = (folder) => {
    starts += 1;
    return spawnProcess(folder, ['-e', 'process.exit(75)']);
  };
  const { promise: looking, resolve: look } = Promise.withResolvers<Promise<unknown>>();
  const client = new Client({
    clientName: 'test',
    resolve: (options) => {
      const found = ensureBroker({ dir, spawn, ...options });
      look(found);
      return found;
    },
  });
  const opened = client.opened();
  await expect.poll(() => starts, { timeout: patienceMs }).toBeGreaterThan(0);
  await client.close();
  await expect(opened).rejects.toMatchObject({ code: 'CLOSED' });
  const startsWhenClosed = starts;
  await expect(looking).rejects.toMatchObject({ name: 'AbortError' });
  expect(starts).toBe(startsWhenClosed);
});

test('endpoints of a dead broker whose process number lives on harm nobody', async () => {
  await fs.mkdir(dir, { mode: 0o700 });
  const stale = {
    brokerId: '0'.repeat(26),
    pid: process.pid,
    startedAtMs: 1,
    software: 'aiq',
    folder: await identityOf(dir),
    unix: path.join(dir, 'broker.sock'),
    tcp: null,
  };
  await fs.writeFile(path.join(dir, 'endpoints.json'), JSON.stringify(stale));
  expect(await brokerStatus(dir)).toEqual({ running: false });
  expect(await stopBroker(dir)).toBe('not running');
  await ensureBroker({ dir, spawn: spawnBroker });
  expect(await brokerPid()).not.toBe(process.pid);
});

/** Device and inode, as the broker writes them. */
async function identityOf(folder: string): Promise<string> {
  const { dev, ino } = await fs.stat(folder, { bigint: true });
  return `${dev}:${ino}`;
}

test('a copy of a folder has a broker of its own, while the first one runs', async () => {
  await ensureBroker({ dir, spawn: spawnBroker });
  const copy = path.join(base, 'copy');
  // Nobody can copy a socket, and what SQLite has beside its file comes and goes.
  const filter = (file: string): boolean => !/\.sock$|\.sqlite-\w+$/.test(file);
  await fs.cp(dir, copy, { recursive: true, filter });
  try {
    expect(await readEndpoints(copy)).toBeNull();
    expect(await brokerStatus(copy)).toEqual({ running: false });
    expect(await stopBroker(copy)).toBe('not running');
    await ensureBroker({ dir: copy, spawn: spawnBroker });
    const [first, second] = [await readEndpoints(dir), await readEndpoints(copy)];
    expect(second?.brokerId).not.toBe(first?.brokerId);
    expect(second?.unix).toBe(path.join(copy, 'broker.sock'));
    expect(await stopBroker(copy)).toBe('stopped');
    expect(await brokerStatus(dir)).toMatchObject({ running: true, stats: { pid: first?.pid } });
  } finally {
    await stopBroker(copy);
  }
});

test('a broker that is not the one that the folder names is not spoken to', async () => {
  await ensureBroker({ dir, spawn: spawnBroker });
  const file = path.join(dir, 'endpoints.json');
  const written = await fs.readFile(file, 'utf8');
  const endpoints = await readEndpoints(dir);
  await fs.writeFile(file, written.replace(endpoints?.brokerId ?? '', '0'.repeat(32)));
  await expect(brokerStatus(dir)).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringMatching(/broker \w+ answers there, not 0{32}/) as string,
  });
  await fs.writeFile(file, written);
});

test('a folder that is moved away leaves its place to the next broker', async () => {
  await ensureBroker({ dir, spawn: spawnBroker });
  const first = await brokerPid();
  const moved = path.join(base, 'moved');
  await fs.rename(dir, moved);
  await ensureBroker({ dir, spawn: spawnBroker });
  expect(await brokerPid()).not.toBe(first);
  const said = (): Promise<string> => fs.readFile(path.join(moved, 'broker.log'), 'utf8');
  while (!(await said()).includes('ended: failed')) await pause();
  expect(await said()).toMatch(
    /stopping: .* was (?:replaced|moved away or removed) while its broker/,
  );
  expect(await brokerStatus(dir)).toMatchObject({ running: true });
});

test('endpoints that are no endpoints count as missing', async () => {
  await fs.mkdir(dir, { mode: 0o700 });
  const file = path.join(dir, 'endpoints.json');
  for (const text of ['', '{', 'null', '{"unix":7}', '{"pid":1,"unix":"relative"}']) {
    await fs.writeFile(file, text);
    expect(await readEndpoints(dir)).toBeNull();
  }
});

test.runIf(process.platform === 'linux')(
  'however it is started, the process has the same flags and memory settings (needs Linux)',
  async () => {
    const settings = async (pid: number): Promise<string[]> => {
      const read = async (name: string): Promise<string[]> =>
        (await fs.readFile(`/proc/${pid}/${name}`, 'utf8')).split('\0');
      const environment = (await read('environ')).filter((line) => line.startsWith('MALLOC_'));
      return [
        ...(await read('cmdline')).filter((word) => word.startsWith('--max')),
        ...environment,
      ];
    };
    await ensureBroker({ dir, spawn: spawnBroker });
    const embedded = await settings(await brokerPid());
    expect(embedded).toEqual([
      '--max-semi-space-size=4',
      'MALLOC_ARENA_MAX=2',
      'MALLOC_MMAP_THRESHOLD_=32768',
    ]);
    await stopBroker(dir);
    const bin = fileURLToPath(new URL('../../../bin/aiq.js', import.meta.url));
    const child = startProcess(process.execPath, [bin, 'broker', 'start', '--dir', dir], {
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    while ((await readEndpoints(dir)) === null && child.exitCode === null) await pause();
    // It is the same process that was started: a service manager follows it.
    expect(await brokerPid()).toBe(child.pid);
    expect(await settings(child.pid ?? 0)).toEqual(embedded);
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  },
);

test('of a folder that is a link nothing is made, where it leads neither', async () => {
  const target = path.join(base, 'documents');
  await fs.mkdir(target, { mode: 0o700 });
  await fs.symlink(target, dir);
  const ensure = ensureBroker({ dir, spawn: spawnBroker });
  await expect(ensure).rejects.toThrow(/it is a link to .*documents; name the folder itself/);
  expect(await fs.readdir(target)).toEqual([]);
});

test.skipIf(process.getuid?.() !== 0)(
  'in the folder of another user nothing is made (run as root)',
  async () => {
    await fs.mkdir(dir, { mode: 0o755 });
    await fs.chown(dir, 65_534, 65_534);
    const ensure = ensureBroker({ dir, spawn: spawnBroker });
    await expect(ensure).rejects.toThrow(/belongs to another user/);
    expect(await fs.readdir(dir)).toEqual([]);
    await fs.rmdir(dir);
  },
);

test('the broker process does not get the secrets of the one that starts it', async () => {
  process.env['AIQ_TEST_API_KEY'] = 'secret';
  try {
    const tell = "console.error('names ' + Object.keys(process.env)); process.exit(65)";
    const spawn: SpawnBroker = (folder) => spawnProcess(folder, ['-e', tell]);
    await ensureBroker({ dir, spawn }).catch(() => undefined);
  } finally {
    delete process.env['AIQ_TEST_API_KEY'];
  }
  const log = await brokerLog();
  expect(log).toContain('names ');
  expect(log).not.toContain('AIQ_TEST_API_KEY');
});

test.runIf(process.platform === 'linux')(
  'a folder that cannot be made is refused at once, with the place and the reason',
  async () => {
    const looking = ensureBroker({ dir: '/proc/aiq-test/broker', spawn: spawnBroker });
    await expect(looking).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('/proc takes no new folders'),
    });
  },
);
