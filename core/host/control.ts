/** Checks a folder's broker and stops it. Processes are asked to leave, never killed. */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Endpoints, hasCode } from '../base/index.ts';
import { AiqError, type BrokerStats, Client } from '../client/index.ts';
import { type FoundBroker, findBroker } from './endpoints.ts';
import { isSeenAlive, type Starting, seenStarting } from './starting.ts';

export type BrokerStatus =
  | { readonly running: false; readonly starting?: Starting }
  | {
      readonly running: true;
      readonly endpoints: Endpoints;
      readonly stats: BrokerStats;
      /** What it cannot do at the moment, a sentence each. */
      readonly problems: readonly string[];
    };

const answerMs = 3_000;
const stopMsDefault = 10_000;
const pollMs = 20;

/**
 * What the folder's broker says of itself; starts none.
 * @throws AiqError when a process accepts connections there but does not answer as a broker
 */
export async function brokerStatus(dir: string): Promise<BrokerStatus> {
  const found = await findBroker(dir, answerMs);
  if (found === null) {
    const starting = await seenStarting(dir);
    return starting === null ? { running: false } : { running: false, starting };
  }
  const { endpoints } = found;
  return await ask(found, async (client) => {
    const stats = await client.request('Stats', { queues: [] });
    const { texts: problems } = await client.request('Problems', {});
    return { running: true, endpoints, stats, problems };
  });
}

/**
 * Asks the folder's broker to stop and waits until its process has ended.
 * @throws AiqError `TIMEOUT` when it is still there after `deadlineMs`
 */
export async function stopBroker(
  dir: string,
  deadlineMs: number = stopMsDefault,
): Promise<'stopped' | 'not running'> {
  const endMs = performance.now() + deadlineMs;
  const found = await findBroker(dir, answerMs);
  const starting = found === null ? await seenStarting(dir) : null;
  if (found !== null) {
    await ask(found, (client) => client.request('Shutdown', {})).catch(ignoreLostAnswer);
  } else if (starting !== null) {
    // It does not listen yet, and recovery may end at any point.
    process.kill(starting.pid, 'SIGTERM');
  } else {
    return 'not running';
  }
  const isOver = (): boolean | Promise<boolean> =>
    found === null
      ? starting === null || !isSeenAlive(starting)
      : hasBrokerEnded(dir, found.endpoints);
  while (!(await isOver())) {
    if (performance.now() > endMs) {
      const pid = found?.endpoints.pid ?? starting?.pid;
      const message = `the broker of ${dir} (process ${pid}) was asked to stop and is still there after ${deadlineMs} ms`;
      throw new AiqError('TIMEOUT', message);
    }
    await sleep(pollMs);
  }
  return 'stopped';
}

async function ask<T>(
  { endpoint }: FoundBroker,
  question: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client({
    resolve: () => Promise.resolve(endpoint),
    clientName: `aiq host ${process.pid}`,
    requestDeadlineMs: answerMs,
  });
  try {
    return await question(client);
  } finally {
    await client.close();
  }
}

/** A broker that stops may end before its answer arrives: that is what was asked for. */
function ignoreLostAnswer(error: unknown): void {
  const isLost =
    error instanceof AiqError && ['OUTCOME_UNKNOWN', 'UNREACHABLE'].includes(error.code);
  if (!isLost) throw error;
}

async function hasBrokerEnded(dir: string, { brokerId, pid }: Endpoints): Promise<boolean> {
  if (!hasProcessEnded(pid)) return false;
  // Its process may be in another container, where the number means nothing.
  const found = await findBroker(dir, answerMs);
  return found === null || found.endpoints.brokerId !== brokerId;
}

function hasProcessEnded(pid: number): boolean {
  try {
    // Signal 0 only asks whether the process exists.
    process.kill(pid, 0);
  } catch (error) {
    return hasCode(error, 'ESRCH');
  }
  return isZombie(pid);
}

/** On Linux a process that ended but was not collected by its parent still has its number. */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return ['Z', 'X'].includes(stat.charAt(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}
