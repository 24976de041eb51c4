/** Where the broker listens: long paths, stale sockets, private folders, taken ports, loopback only. */

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type ListenOptions, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { shortSocketPath } from '../../../../core/base/index.ts';
import {
  type IoPool,
  type IoPoolOptions,
  startIoPool,
} from '../../../../core/broker/net/pool/io-pool.ts';
import { guard, Peer, startTestBroker, temporaryFolder } from './peer.ts';

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
  const silent = { onEvents: () => {}, onNotice: () => {}, onThreadLost: () => {} };
  const pool = await startIoPool({ unixPath: null, tcp: null, guard, ...silent, ...options });
  pools.push(pool);
  return pool;
}

const anyPort = { host: '127.0.0.1', port: 0 };

interface Elsewhere {
  readonly server: Server;
  readonly address: { host: string; port: number };
}

/** Another program on a port of this machine. */
async function listenElsewhere(where: ListenOptions): Promise<Elsewhere> {
  const server = createServer().listen(where);
  await once(server, 'listening');
  const { address: host, port } = server.address() as AddressInfo;
  return { server, address: { host, port } };
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
  it.each([
    [1, 1],
    [1, 2],
    [2, 1],
    [2, 2],
  ])(
    'of a broker with %i thread(s) is refused to one with %i, which leaves no Unix socket behind',
    async (threads, secondThreads) => {
      const first = await start({ tcp: anyPort, threads });
      const unixPath = join(folder.path, 'second.sock');
      const tcp = first.addresses.tcp ?? anyPort;
      const second = start({ tcp, unixPath, threads: secondThreads });
      await expect(second).rejects.toMatchObject({
        code: 'EADDRINUSE',
        message: expect.stringMatching(`${tcp.host}:${tcp.port}.*another broker`),
      });
      expect(existsSync(unixPath)).toBe(false);
      const peer = new Peer(tcp);
      await once(peer.socket, 'connect');
      await peer.close();
    },
  );

  it.each([1, 2])('is refused to %i thread(s) when a program shares it', async (threads) => {
    const other = await listenElsewhere({ ...anyPort, reusePort: true });
    const started = start({ tcp: other.address, threads });
    await expect(started).rejects.toMatchObject({ code: 'EADDRINUSE' });
    other.server.close();
  });

  it.skipIf(process.platform !== 'linux')(
    'is refused when a program comes to share it after the probe, while the threads start',
    async () => {
      const free = await listenElsewhere(anyPort);
      free.server.close();
      const joined = new Promise<Elsewhere>((resolve) => {
        process.once('worker', () => {
          resolve(listenElsewhere({ ...free.address, reusePort: true }));
        });
      });
      const started = start({ tcp: free.address, threads: 2 });
      await expect(started).rejects.toMatchObject({
        code: 'EADDRINUSE',
        message: expect.stringContaining('another program shares the port'),
      });
      const { server } = await joined;
      server.close();
    },
  );

  it('goes to one at most of two brokers that start at the same time', async () => {
    const free = await listenElsewhere(anyPort);
    free.server.close();
    const starts = [2, 2].map(async (threads) => await start({ tcp: free.address, threads }));
    const ends = await Promise.allSettled(starts);
    expect(ends.filter(({ status }) => status === 'fulfilled').length).toBeLessThan(2);
    for (const end of ends) {
      if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'EADDRINUSE' });
    }
  });

  it('may be one of ::1, shared by threads', async () => {
    const tcp = { host: '::1', port: 0 };
    const { addresses } = await start({ tcp, threads: 3 });
    await expect(start({ tcp: addresses.tcp, threads: 2 })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });

  it.each(['0.0.0.0', '192.168.1.10', '::', 'example.org', '127.evil.example'])(
    'is refused on %s, because only loopback is served',
    async (host) => {
      const started = start({ tcp: { host, port: 0 } });
      await expect(started).rejects.toMatchObject({ code: 'NOT_LOOPBACK' });
    },
  );

  it.each([null, { ...guard, token: new Uint8Array(0) }])(
    'is refused without a token',
    async (none) => {
      const started = start({ tcp: { host: '127.0.0.1', port: 0 }, guard: none });
      await expect(started).rejects.toMatchObject({ code: 'NO_TOKEN' });
    },
  );

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
