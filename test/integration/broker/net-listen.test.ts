/** Where the broker listens: long paths, stale sockets, private folders, taken ports, loopback only. */

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type IoPool, type IoPoolOptions, startIoPool } from '../../../core/broker/net/io-pool.ts';
import { shortSocketPath } from '../../../core/broker/net/unix-socket.ts';
import { Peer, startTestBroker, temporaryFolder, token } from './net-peer.ts';

let folder: { path: string; remove(): void };
const pools: IoPool[] = [];

beforeEach(() => {
  folder = temporaryFolder();
});

afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.stop();
  folder.remove();
});

async function start(options: Partial<IoPoolOptions>): Promise<IoPool> {
  const silent = { onEvents: () => {}, onThreadLost: () => {} };
  const pool = await startIoPool({ unixPath: null, tcp: null, token, ...silent, ...options });
  pools.push(pool);
  return pool;
}

describe('the Unix socket', () => {
  it('may have a path that the system would refuse', async () => {
    const unixPath = join(folder.path, 'a'.repeat(80), 'b'.repeat(80), 'broker.sock');
    const broker = await startTestBroker({ unixPath });
    const short = shortSocketPath(unixPath);
    const peer = new Peer({ path: short.path });
    expect((await peer.hello()).name).toBe('HelloOk');
    expect(broker.pool.addresses.unix).toBe(unixPath);
    await broker.stop();
    expect(existsSync(unixPath)).toBe(false);
    short.release();
  });

  it('is made in a folder of mode 0700', async () => {
    const inside = join(folder.path, 'made', 'by us');
    await start({ unixPath: join(inside, 'broker.sock') });
    expect(statSync(inside).mode & 0o777).toBe(0o700);
  });

  it('is refused in a folder that others may enter', async () => {
    chmodSync(folder.path, 0o755);
    const started = start({ unixPath: join(folder.path, 'broker.sock') });
    await expect(started).rejects.toMatchObject({
      code: 'OPEN_FOLDER',
      message: expect.stringContaining('chmod 700'),
    });
  });

  it('replaces a socket that a dead broker left', async () => {
    const unixPath = join(folder.path, 'broker.sock');
    const listen = `require('node:net').createServer().listen(${JSON.stringify(unixPath)}`;
    const script = `${listen}, () => process.kill(process.pid, 'SIGKILL'))`;
    expect(spawnSync(process.execPath, ['-e', script]).signal).toBe('SIGKILL');
    if (!existsSync(unixPath)) throw new Error('the dead broker left no socket');
    await start({ unixPath });
    const peer = new Peer({ path: unixPath });
    await new Promise((resolve) => peer.socket.once('connect', resolve));
    await peer.close();
  });

  it('does not replace a file that is no socket', async () => {
    const unixPath = join(folder.path, 'broker.sock');
    writeFileSync(unixPath, 'precious');
    await expect(start({ unixPath })).rejects.toMatchObject({ code: 'NOT_A_SOCKET' });
    expect(existsSync(unixPath)).toBe(true);
  });

  it('is refused with the path in the message when its folder cannot be made', async () => {
    const file = join(folder.path, 'file');
    writeFileSync(file, '');
    const started = start({ unixPath: join(file, 'broker.sock') });
    await expect(started).rejects.toThrow(/cannot listen on .*broker\.sock/);
  });
});

describe('the TCP port', () => {
  it('is refused when another broker has it, in words, and leaves no Unix socket behind', async () => {
    const first = await start({ tcp: { host: '127.0.0.1', port: 0 } });
    const unixPath = join(folder.path, 'second.sock');
    const tcp = first.addresses.tcp ?? { host: '', port: 0 };
    await expect(start({ tcp, unixPath })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: expect.stringContaining(`${tcp.host}:${tcp.port}`),
    });
    expect(existsSync(unixPath)).toBe(false);
  });

  it('is refused when a program shares it with itself through reusePort', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => {
      other.listen({ host: '127.0.0.1', port: 0, reusePort: true }, resolve);
    });
    const bound = other.address();
    if (bound === null || typeof bound === 'string') throw new Error('no port');
    const started = start({ tcp: { host: '127.0.0.1', port: bound.port } });
    await expect(started).rejects.toMatchObject({ code: 'EADDRINUSE' });
    other.close();
  });

  it.each(['0.0.0.0', '192.168.1.10', '::', 'example.org', '127.evil.example'])(
    'is refused on %s, because only loopback is served',
    async (host) => {
      const started = start({ tcp: { host, port: 0 } });
      await expect(started).rejects.toMatchObject({ code: 'NOT_LOOPBACK' });
    },
  );

  it.each([null, new Uint8Array(0)])('is refused without a token', async (none) => {
    const started = start({ tcp: { host: '127.0.0.1', port: 0 }, token: none });
    await expect(started).rejects.toMatchObject({ code: 'NO_TOKEN' });
  });

  it('may be named localhost', async () => {
    const { addresses } = await start({ tcp: { host: 'localhost', port: 0 } });
    expect(addresses.tcp?.host).toBe('127.0.0.1');
    expect(addresses.tcp?.port).toBeGreaterThan(0);
  });
});

it('a folder that was stopped can be listened on again at once', async () => {
  const unixPath = join(folder.path, 'broker.sock');
  for (let round = 0; round < 3; round++) {
    const pool = await start({ unixPath });
    await pool.stop();
    expect(existsSync(unixPath)).toBe(false);
  }
});
