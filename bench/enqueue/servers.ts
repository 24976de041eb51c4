/** The two servers that are compared, each a process on a folder of its own, listening on a Unix socket. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { traced } from '../measure/sync-calls.ts';

export interface Server {
  readonly socket: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export const sides = ['aiq', 'bullmq'] as const;
export type Side = (typeof sides)[number];

export const redisCommand = 'apt-get install -y --no-install-recommends redis-server';

/** Every command is durable before it is answered; no snapshot and no rewrite disturbs a window. */
export const redisSettings: readonly string[] = Object.entries({
  port: '0',
  appendonly: 'yes',
  appendfsync: 'always',
  save: '',
  'auto-aof-rewrite-percentage': '0',
  'maxmemory-policy': 'noeviction',
}).flatMap(([name, value]) => [`--${name}`, value]);

const brokerMain = fileURLToPath(new URL('../../core/broker/main.ts', import.meta.url));
const startMs = 30_000;

/** The version of redis-server on the PATH; null when there is none. */
export function redisVersion(): string | null {
  const { stdout, error } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' });
  return error === undefined ? (/v=([\d.]+)/.exec(stdout)?.[1] ?? 'unknown') : null;
}

/** Starts a server on an empty folder, under strace when `traceFile` is given. */
export async function startServer(side: Side, dir: string, traceFile?: string): Promise<Server> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const socket = join(dir, side === 'aiq' ? 'broker.sock' : 'redis.sock');
  const command =
    side === 'aiq'
      ? [process.execPath, brokerMain, '--dir', dir, '--idle-exit-ms', '3600000']
      : ['redis-server', '--dir', dir, '--unixsocket', socket, ...redisSettings];
  const [file = '', ...args] = command;
  const [program, programArgs] =
    traceFile === undefined ? [file, args] : traced(traceFile, command);
  const child = spawn(program, programArgs, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text: Buffer) => (said += text.toString()));
  await accepts(child, socket).catch((error: unknown) => {
    throw new Error(`${side} does not start: ${said}`, { cause: error });
  });
  return { socket, pid: child.pid ?? 0, stop: () => end(child) };
}

/** Waits until somebody accepts connections there. */
async function accepts(child: ChildProcess, socket: string): Promise<void> {
  const endMs = performance.now() + startMs;
  while (!existsSync(socket) || !(await connects(socket))) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended: ${child.exitCode}`);
    if (performance.now() > endMs) throw new Error(`nobody listens on ${socket}`);
    await sleep(20);
  }
}

async function connects(socket: string): Promise<boolean> {
  const connection = createConnection(socket);
  try {
    await once(connection, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    connection.destroy();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}
