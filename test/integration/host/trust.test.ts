/** What a client believes of a folder, and what another user of the machine gets by leaving one: nothing. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { brokerStatus, ensureBroker, readEndpoints } from '../../../core/host/index.ts';
import { openQueue } from '../../../core/job-queue/index.ts';
import { codeOf } from '../../support/servers/fake-broker.ts';

const foreignUid = 65_534;
const isRoot = process.getuid?.() === 0;
const leftOut = isRoot ? '' : ' (LEFT OUT: only root can act as another user)';

let base: string;
let dir: string;
const ends: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  base = await fs.mkdtemp(path.join(os.tmpdir(), 'aiq-trust-'));
  dir = path.join(base, 'broker');
  await fs.mkdir(dir, { mode: 0o700 });
});

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await fs.rm(base, { recursive: true, force: true });
});

const endpoints = {
  brokerId: '0'.repeat(26),
  pid: 1,
  startedAtMs: 1,
  software: 'aiq/0',
  unix: null as string | null,
  tcp: null as { host: string; port: number } | null,
};

async function writeEndpoints(fields: Partial<typeof endpoints>, mode = 0o600): Promise<void> {
  const file = path.join(dir, 'endpoints.json');
  const { dev, ino } = await fs.stat(dir, { bigint: true });
  const folder = `${dev}:${ino}`;
  await fs.writeFile(file, JSON.stringify({ ...endpoints, folder, ...fields }));
  await fs.chmod(file, mode);
}

/** A program on a Unix socket that counts who comes. */
async function listenAt(socketPath: string): Promise<{ readonly count: number }> {
  const heard = { count: 0 };
  const server = net.createServer((socket) => {
    heard.count += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  return heard;
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => 'no error',
    (reason: unknown) => reason,
  );
  return error instanceof Error && 'code' in error
    ? `${String(error.code)} ${error.message}`
    : String(error);
}

const find = () => ensureBroker({ dir, spawn: null });
const open = (broker: string, tokenFile: string | null = null) =>
  openQueue({
    broker,
    tokenFile,
    clientName: 'test',
    startBroker: false,
    connectDeadlineMs: 30_000,
  });

describe('a folder', () => {
  test.each([0o750, 0o707, 0o720])(
    'that others may enter or write is refused with the fix (mode %o)',
    async (mode) => {
      await writeEndpoints({ unix: path.join(dir, 'broker.sock') });
      const heard = await listenAt(path.join(dir, 'broker.sock'));
      await fs.chmod(dir, mode);
      const expected = `${dir} is open to other users of this machine (mode ${mode.toString(8)})`;
      for (const ask of [find, () => brokerStatus(dir), () => open(`file:${dir}`)]) {
        const said = await refusal(ask());
        expect(said).toMatch(/^UNTRUSTED /);
        expect(said).toContain(expected);
        expect(said).toContain(`chmod 700 ${dir}`);
      }
      expect(await refusal(open(`unix:${dir}/broker.sock`))).toContain(expected);
      expect(heard.count).toBe(0);
    },
  );

  test('without anything to believe is left to the broker, which closes it', async () => {
    await fs.chmod(dir, 0o755);
    expect(await codeOf(find())).toBe('UNREACHABLE');
    expect(await brokerStatus(dir)).toEqual({ running: false });
  });

  test('whose endpoints others may change is refused with the fix', async () => {
    await writeEndpoints({ unix: path.join(dir, 'broker.sock') }, 0o622);
    expect(await refusal(find())).toMatch(/^UNTRUSTED .*endpoints\.json.*mode 622.*chmod 600/);
  });

  test('has its socket inside, wherever its endpoints point', async () => {
    const elsewhere = path.join(base, 'elsewhere');
    await fs.mkdir(elsewhere, { mode: 0o700 });
    const heard = await listenAt(path.join(elsewhere, 'broker.sock'));
    await writeEndpoints({ unix: path.join(elsewhere, 'broker.sock') });
    expect(await readEndpoints(dir)).toMatchObject({ unix: path.join(dir, 'broker.sock') });
    expect(await codeOf(find())).toBe('UNREACHABLE');
    expect(heard.count).toBe(0);
  });

  test('whose socket is a link or a plain file is refused', async () => {
    const elsewhere = path.join(base, 'elsewhere');
    const heard = await listenAt(elsewhere);
    await writeEndpoints({ unix: path.join(dir, 'broker.sock') });
    await fs.symlink(elsewhere, path.join(dir, 'broker.sock'));
    expect(await refusal(find())).toMatch(/^UNTRUSTED .*broker\.sock is no socket/);
    await fs.rm(path.join(dir, 'broker.sock'));
    await fs.writeFile(path.join(dir, 'broker.sock'), '');
    expect(await refusal(find())).toMatch(/^UNTRUSTED .*broker\.sock is no socket/);
    expect(heard.count).toBe(0);
  });

  test.each([
    '127.1',
    '2130706433',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '127.0.0.01',
    '127.999.0.1',
    '0.0.0.0',
    '::',
    '::ffff:127.0.0.1',
    '0:0:0:0:0:0:0:1',
    'localhost.',
    'localhost.example.org',
    'example.org',
    '',
  ])('whose endpoints lead to %j is refused, and its token is not used', async (host) => {
    await writeEndpoints({ tcp: { host, port: 9 } });
    await fs.writeFile(path.join(dir, 'token'), 't'.repeat(64), { mode: 0o600 });
    expect(await refusal(find())).toMatch(
      /^UNTRUSTED .*endpoints\.json leads to .*remove the file/,
    );
  });
});

describe('a token file', () => {
  const broker = 'tcp://127.0.0.1:9';

  test('that others may read is refused with the fix, also in the folder', async () => {
    const file = path.join(dir, 'token');
    await fs.writeFile(file, 't'.repeat(64));
    await fs.chmod(file, 0o644);
    expect(await refusal(open(broker, file))).toMatch(/^UNAUTHORIZED .*token.*mode 644.*chmod 600/);
    await writeEndpoints({ tcp: { host: '127.0.0.1', port: 9 } });
    expect(await refusal(find())).toMatch(/^UNAUTHORIZED .*token.*mode 644.*chmod 600/);
  });

  test.each(['', '\n', 'x'.repeat(31)])(
    'that holds no token is refused (%j): anybody could prove that',
    async (text) => {
      const file = path.join(dir, 'token');
      await fs.writeFile(file, text, { mode: 0o600 });
      expect(await refusal(open(broker, file))).toMatch(
        /^UNAUTHORIZED .*holds \d+ bytes.*at least 32/,
      );
    },
  );

  test('that is not named is asked for before anybody is connected to', async () => {
    expect(await refusal(open(broker))).toMatch(/^UNAUTHORIZED .*no token file is named/);
  });
});

/** Runs code as another user and waits until it says that it is ready. */
async function asForeigner(code: string): Promise<ChildProcess> {
  const script = `
    const fs = require('node:fs'), net = require('node:net');
    process.setgid(${foreignUid}); process.setuid(${foreignUid});
    const say = (text) => process.stdout.write(text + '\\n');
    const listen = (where) => net.createServer((socket) => {
      say('somebody came'); socket.on('data', (bytes) => say(bytes.toString('latin1'))).on('error', () => {});
    }).listen(where, () => say('ready'));
    ${code}`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  ends.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  while (!output.includes('ready')) await once(child.stdout as NodeJS.ReadableStream, 'data');
  said.set(child, () => output.replace('ready\n', ''));
  return child;
}

const said = new Map<ChildProcess, () => string>();

describe.skipIf(!isRoot)(`another user of the machine${leftOut}`, () => {
  beforeEach(async () => {
    await fs.chmod(base, 0o1777);
  });

  const uidOf = new RegExp(`belongs to another user \\(uid ${foreignUid};`);

  test('in a folder of its own gets nobody to connect or to start a broker there', async () => {
    dir = path.join(base, 'foreign');
    const foreign = await asForeigner(`
      fs.mkdirSync('${dir}', { mode: 0o755 });
      fs.writeFileSync('${dir}/endpoints.json', '${JSON.stringify({ ...endpoints, unix: '/x/broker.sock' })}');
      listen('${dir}/broker.sock');`);
    for (const address of [`file:${dir}`, `unix:${dir}/broker.sock`]) {
      expect(await refusal(open(address))).toMatch(uidOf);
    }
    await fs.rm(path.join(dir, 'endpoints.json'));
    const spawned: string[] = [];
    const spawnNone = (where: string): never => {
      spawned.push(where);
      throw new Error('not to be started');
    };
    expect(await refusal(ensureBroker({ dir, spawn: spawnNone }))).toMatch(uidOf);
    expect(spawned).toEqual([]);
    expect(said.get(foreign)?.()).toBe('');
  });

  test('with a socket in our folder, from when it was open, gets nobody to connect', async () => {
    await writeEndpoints({ unix: path.join(dir, 'broker.sock') });
    await fs.chmod(dir, 0o777);
    const foreign = await asForeigner(`listen('${dir}/broker.sock');`);
    await fs.chmod(dir, 0o700);
    for (const address of [`file:${dir}`, `unix:${dir}/broker.sock`]) {
      expect(await refusal(open(address))).toMatch(uidOf);
    }
    expect(said.get(foreign)?.()).toBe('');
  });

  test('whose endpoints or token lie in our folder is not believed', async () => {
    await writeEndpoints({ tcp: { host: '127.0.0.1', port: 9 } });
    await fs.writeFile(path.join(dir, 'token'), 't'.repeat(64), { mode: 0o600 });
    await fs.chown(path.join(dir, 'token'), foreignUid, foreignUid);
    expect(await refusal(find())).toMatch(/^UNAUTHORIZED .*token belongs to another user/);
    await fs.chown(path.join(dir, 'endpoints.json'), foreignUid, foreignUid);
    expect(await refusal(find())).toMatch(/^UNTRUSTED .*endpoints\.json belongs to another user/);
  });

  test('on the port that our folder names reads no token', async () => {
    const foreign = await asForeigner(
      "listen({ host: '127.0.0.1', port: 0 }).on('listening', function () { say('port ' + this.address().port); });",
    );
    const port = () => Number(/port (\d+)/.exec(said.get(foreign)?.() ?? '')?.[1] ?? 0);
    while (port() === 0) await once(foreign.stdout as NodeJS.ReadableStream, 'data');
    const token = 't'.repeat(64);
    await writeEndpoints({ tcp: { host: '127.0.0.1', port: port() } });
    await fs.writeFile(path.join(dir, 'token'), token, { mode: 0o600 });
    const opening = openQueue({
      broker: `file:${dir}`,
      tokenFile: null,
      clientName: 'test',
      startBroker: false,
      connectDeadlineMs: 300,
    });
    expect(await codeOf(opening)).toBe('UNREACHABLE');
    expect(said.get(foreign)?.()).toContain('somebody came');
    expect(said.get(foreign)?.()).not.toContain(token);
  });
});
