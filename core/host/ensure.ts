/**
 * Finds the broker of a folder, or starts one. Who serves is decided by the broker's own lock on
 * the folder: of several that are started at once, all but one leave.
 */

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AiqError, type Endpoint } from '../client/index.ts';
import { findBroker } from './endpoints.ts';
import type { Ending, SpawnBroker, StartedBroker } from './spawn.ts';

export interface EnsureOptions {
  /** The broker's folder, absolute. */
  readonly dir: string;
  /** Starts a broker process; null only looks for a running one. */
  readonly spawn: SpawnBroker | null;
  /** How long to try. Default 10 s. */
  readonly deadlineMs?: number;
}

const deadlineMsDefault = 10_000;
const pollMsMin = 5;
const pollMsMax = 25;
/** Between two starts: the one that serves, or that is on its way out, gets this long at least. */
const restartMs = 250;
/** Exit code of a broker that found the folder served by another one. */
const lockedCode = 75;

/**
 * The address of a broker that accepts connections.
 * @throws AiqError `UNREACHABLE` with the reason: nothing runs and nothing may be started, the
 *   started process died, or nobody answered in time
 */
export async function ensureBroker(options: EnsureOptions): Promise<Endpoint> {
  const { dir, spawn, deadlineMs = deadlineMsDefault } = options;
  const endMs = performance.now() + deadlineMs;
  let started: StartedBroker | null = null;
  let startedAtMs = Number.NEGATIVE_INFINITY;
  let pollMs = pollMsMin;
  for (;;) {
    const found = await findBroker(dir, Math.max(1, endMs - performance.now()));
    if (found !== null) return found.endpoint;
    if (spawn === null) throw unreachable(dir, 'no broker runs there');
    const nowMs = performance.now();
    if (nowMs >= endMs) throw unreachable(dir, tooLate(started, deadlineMs));
    const mayStart = nowMs - startedAtMs >= restartMs;
    if (started === null || (hasLeft(dir, started) && mayStart)) {
      started = start(dir, spawn);
      startedAtMs = nowMs;
    }
    await sleep(pollMs * (0.5 + Math.random()));
    pollMs = Math.min(pollMs * 1.3, pollMsMax);
  }
}

function start(dir: string, spawn: SpawnBroker): StartedBroker {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return spawn(dir);
  } catch (error) {
    throw unreachable(dir, `its broker cannot be started: ${(error as Error).message}`);
  }
}

/**
 * Whether the started process is gone for a reason that a next one may not meet: another served
 * the folder, it left when idle, or somebody killed it.
 * @throws AiqError `UNREACHABLE` when it died of something that will not go away
 */
function hasLeft(dir: string, started: StartedBroker): boolean {
  const { ending } = started;
  if (ending === null) return false;
  const mayGoAway =
    'signal' in ending || ('code' in ending && [0, lockedCode].includes(ending.code));
  if (mayGoAway) return true;
  throw unreachable(dir, `its broker ${endingText(ending)}${quoted(started.reason())}`);
}

function endingText(ending: Ending): string {
  if ('error' in ending) return `could not be started: ${ending.error.message}`;
  return 'code' in ending ? `ended with exit code ${ending.code}` : `was ended by ${ending.signal}`;
}

function tooLate(started: StartedBroker | null, deadlineMs: number): string {
  const what = `no broker answered within ${Math.round(deadlineMs)} ms`;
  return started === null ? what : `${what}${quoted(started.reason())}`;
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
