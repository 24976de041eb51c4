/** Starts a broker process for a folder, on its own: it outlives the process that started it. */

import type { ChildProcess } from 'node:child_process';
import {
  close,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openOwnFolder, startAgainWith, throughDescriptor } from '../base/index.ts';

const idleExitMs = 60_000;
const logBytesMax = 1024 * 1024;
const reasonLinesMax = 5;
/** Environment variables that the broker has no use for and should not keep. */
const secretName = /KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL/i;

/**
 * A small young generation: the broker makes much garbage and keeps little, and V8 would let it pile
 * up to 100 MiB a thread before it collects. And it may collect what a burst left behind once it is idle.
 */
export const brokerNodeFlags: readonly string[] = ['--max-semi-space-size=4', '--expose-gc'];

/** glibc would keep what the broker frees: large buffers are mapped, so that they go back at once. */
const brokerMemory = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '32768' };

/** The environment of a broker process: memory settings, and no secrets that it has no use for. */
export function brokerEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !secretName.test(name));
  return { ...brokerMemory, ...Object.fromEntries(kept) };
}

/**
 * Gives a process that is to be a broker itself what one that is started gets: it begins anew, as the same
 * process, unless it has that already.
 */
export function becomeBrokerProcess(): void {
  startAgainWith({ nodeFlags: brokerNodeFlags, environment: brokerMemory });
}

/** How a started process ended. */
export type Ending =
  | { readonly code: number }
  | { readonly signal: NodeJS.Signals }
  | { readonly error: Error };

/** A broker process that was started, as far as its starter follows it. */
export interface StartedBroker {
  /** Null when there is no such process because it could not be started. */
  readonly pid: number | null;
  /** Null as long as it runs. */
  readonly ending: Ending | null;
  /** The last lines that it wrote to `broker.log`; empty when there are none. */
  reason(): string;
}

export type SpawnBroker = (dir: string) => StartedBroker;

/**
 * Starts a detached broker process on the folder, which is made with mode 0700 when missing. Its
 * output goes to `broker.log` there.
 */
export const spawnBroker: SpawnBroker = (dir) => {
  // The entry lies beside us with our own extension: `.ts` from source, `.js` when compiled.
  const extension = path.extname(fileURLToPath(import.meta.url));
  const entry = fileURLToPath(new URL(`../broker/main${extension}`, import.meta.url));
  return spawnProcess(dir, [
    ...brokerNodeFlags,
    entry,
    '--dir',
    dir,
    '--idle-exit-ms',
    String(idleExitMs),
  ]);
};

/**
 * Runs Node with these arguments as the broker of the folder.
 * @throws FolderError when it is no folder of this user: nothing is made in it then
 */
export function spawnProcess(dir: string, args: readonly string[]): StartedBroker {
  const log = path.join(dir, 'broker.log');
  const descriptor = openLog(dir);
  const logStart = fstatSync(descriptor).size;
  // Not imported: most commands find a broker, and loading this takes as long as ten modules of ours.
  const { spawn } = process.getBuiltinModule('node:child_process');
  const child = spawn(process.execPath, args, {
    cwd: dir,
    detached: true,
    stdio: ['ignore', descriptor, descriptor],
    env: brokerEnvironment(),
  });
  close(descriptor);
  child.unref();
  return follow(child, () => lastLines(log, logStart));
}

/** Opened in the folder that was checked, whatever comes to its place. */
function openLog(dir: string): number {
  const folder = openOwnFolder(dir);
  try {
    const log = path.join(throughDescriptor(folder.descriptor) ?? dir, 'broker.log');
    makeRoom(log);
    const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
    return openSync(log, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
  } finally {
    closeSync(folder.descriptor);
  }
}

function makeRoom(log: string): void {
  const { size } = statSync(log, { throwIfNoEntry: false }) ?? { size: 0 };
  if (size > logBytesMax) renameSync(log, `${log}.old`);
}

function follow(child: ChildProcess, reason: () => string): StartedBroker {
  let ending: Ending | null = null;
  child.once('error', (error) => {
    ending ??= { error };
  });
  child.once('exit', (code, signal) => {
    ending ??= code === null ? { signal: signal ?? 'SIGKILL' } : { code };
  });
  return {
    pid: child.pid ?? null,
    get ending(): Ending | null {
      return ending;
    },
    reason,
  };
}

/** What was appended to the log since `start`, without the empty lines, at most a few lines. */
function lastLines(log: string, start: number): string {
  try {
    const lines = readFileSync(log).subarray(start).toString('utf8').split('\n');
    return lines
      .filter((line) => line.trim() !== '')
      .slice(-reasonLinesMax)
      .join('\n');
  } catch {
    return '';
  }
}
