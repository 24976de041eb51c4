/**
 * Finds the broker of a folder, or starts one. Who serves is decided by the broker's own lock on
 * the folder: of several that are started at once, all but one leave.
 */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AiqError, type Endpoint } from '../client/index.ts';
import { findBroker } from './endpoints.ts';
import type { Ending, SpawnBroker, StartedBroker } from './spawn.ts';
import {
  isSeenAlive,
  readStarting,
  type Starting,
  startingPollMs,
  startingText,
} from './starting.ts';

export interface EnsureOptions {
  /** The broker's folder, absolute. */
  readonly dir: string;
  /** Starts a broker process; null only finds a running one. */
  readonly spawn: SpawnBroker | null;
  /** How long to try; a broker that starts is waited for as long as it lives. Default 10 s. */
  readonly deadlineMs?: number;
  /** Called again and again, with a text, while a broker starts: it recovers its log. */
  readonly onWait?: ((text: string) => void) | undefined;
  /** Once it is aborted, no process is started any more. */
  readonly signal?: AbortSignal;
}

const deadlineMsDefault = 10_000;
/** A process that listens gets so long to accept, however late it is: that it does decides. */
const connectMsMin = 1_000;
const pollMsMin = 5;
const pollMsMax = 25;
/** Between two starts: the one that serves, or that is on its way out, gets this long at least. */
const restartMs = 250;
/** Between two starts while the broker of another process starts: the next one only asks for the lock. */
const askAgainMs = 2_000;
/** Exit code of a broker that found the folder served, or about to be served, by another one. */
const lockedCode = 75;
/** Exit codes of a broker that left when idle, whose folder was moved away, or that found it served. */
const passingCodes: readonly number[] = [0, 69, lockedCode];

/**
 * The address of a broker that accepts connections.
 * @throws AiqError `UNREACHABLE` with the reason: nothing runs and nothing may be started, the
 *   started process died, or no broker answered in time; the reason of `signal` when it is aborted
 */
export async function ensureBroker(options: EnsureOptions): Promise<Endpoint> {
  const { dir, spawn, deadlineMs = deadlineMsDefault, onWait, signal } = options;
  let endMs = performance.now() + deadlineMs;
  let pollMs = pollMsMin;
  if (hasEnded(starts.get(dir))) starts.delete(dir);
  for (;;) {
    const found = await findBroker(dir, Math.max(connectMsMin, endMs - performance.now()));
    if (found !== null) return found.endpoint;
    const { text, isSeen, againMs } = await checkStarting(dir);
    if (text !== null) {
      endMs = performance.now() + deadlineMs;
      pollMs = startingPollMs;
      onWait?.(text);
    } else if (spawn === null) {
      throw unreachable(dir, 'no broker runs there');
    } else if (performance.now() >= endMs) {
      throw unreachable(dir, tooLate(dir, deadlineMs));
    }
    signal?.throwIfAborted();
    if (spawn !== null && !isSeen) startIfNeeded(dir, spawn, againMs);
    await sleep(pollMs * (0.5 + Math.random()), undefined, { signal });
    pollMs = Math.min(pollMs * 1.3, pollMsMax);
  }
}

/** What is known of a broker that starts. */
interface StartSeen {
  /** In words, when there is one and it lives or still has the lock: it is waited for. */
  readonly text: string | null;
  /** Its process is seen: there is no need to start another. */
  readonly isSeen: boolean;
  /** Earliest time from one start of our own to the next. */
  readonly againMs: number;
}

async function checkStarting(dir: string): Promise<StartSeen> {
  const starting = await readStarting(dir);
  if (starting === null) return { text: null, isSeen: false, againMs: restartMs };
  const isSeen = isSeenAlive(starting);
  const text = isSeen || holdsLock(dir, starting) ? startingText(dir, starting) : null;
  return { text, isSeen, againMs: askAgainMs };
}

/**
 * Whether the broker that says it starts still has the lock, as far as the newest process shows: it is
 * that broker, or found the lock taken. So it is known of one in another container, too.
 */
function holdsLock(dir: string, { pid }: Starting): boolean {
  const newest = starts.get(dir)?.broker;
  if (newest === undefined) return false;
  const { ending } = newest;
  return ending === null ? newest.pid === pid : 'code' in ending && ending.code === lockedCode;
}

interface Start {
  readonly broker: StartedBroker;
  readonly atMs: number;
}

/** The newest process that this one started for each folder: all its sessions share it. */
const starts = new Map<string, Start>();

function hasEnded(start: Start | undefined): boolean {
  return start !== undefined && start.broker.ending !== null;
}

/** @throws AiqError `UNREACHABLE` when the process could not start or died for good */
function startIfNeeded(dir: string, spawn: SpawnBroker, againMs: number): void {
  const newest = starts.get(dir);
  const isTooEarly = newest !== undefined && performance.now() - newest.atMs < againMs;
  if (newest !== undefined && (!hasLeft(dir, newest.broker) || isTooEarly)) return;
  try {
    starts.set(dir, { broker: spawn(dir), atMs: performance.now() });
  } catch (error) {
    throw unreachable(dir, `its broker cannot be started: ${(error as Error).message}`);
  }
}

/**
 * Whether the started process ended for a reason that a next one may not meet: another served
 * the folder, it left when idle, its folder was moved away, or it was killed.
 * @throws AiqError `UNREACHABLE` when it died of something that will not go away
 */
function hasLeft(dir: string, started: StartedBroker): boolean {
  const { ending } = started;
  if (ending === null) return false;
  const mayGoAway = 'signal' in ending || ('code' in ending && passingCodes.includes(ending.code));
  if (mayGoAway) return true;
  throw unreachable(dir, `its broker ${endingText(ending)}${quoted(started.reason())}`);
}

function endingText(ending: Ending): string {
  if ('error' in ending) return `could not be started: ${ending.error.message}`;
  return 'code' in ending ? `ended with exit code ${ending.code}` : `was ended by ${ending.signal}`;
}

function tooLate(dir: string, deadlineMs: number): string {
  const lines = starts.get(dir)?.broker.reason() ?? '';
  return `no broker answered within ${Math.round(deadlineMs)} ms${quoted(lines)}`;
}

function quoted(lines: string): string {
  return lines === '' ? '' : `; broker.log says:\n${lines}`;
}

function unreachable(dir: string, reason: string): AiqError {
  const log = path.join(dir, 'broker.log');
  return new AiqError('UNREACHABLE', `broker of ${dir}: ${reason}${hint(reason, log)}`);
}

function hint(reason: string, log: string): string {
  return reason.includes('broker.log') ? `\n(more in ${log})` : '';
}
