/** `aiq broker status`: prints the state of the broker without starting one. */

import { brokerFolder } from '../../../base/index.ts';
import type { Starting } from '../../../host/index.ts';
import type { EngineStats } from '../../../job-queue/index.ts';
import type { ExitName } from '../../exit-codes.ts';
import { formatAge, formatBytes } from '../../output/format.ts';
import { queueTable } from '../../output/queue-view.ts';
import type { Session } from '../../session.ts';

/** Succeeds when no broker is running, and starts none. */
export async function showBroker(session: Session): Promise<ExitName> {
  const { broker } = await session.config();
  const { terminal } = session;
  const { stats, problems, starting } = await statsOf(session, broker);
  if (stats === null) {
    terminal.result(
      terminal.json ? notRunningJson(broker, starting) : await notRunning(broker, starting),
    );
    return 'ok';
  }
  if (terminal.json) {
    const { startedAtMs, ...rest } = stats;
    const startedAt = new Date(startedAtMs).toISOString();
    terminal.result(
      JSON.stringify(
        { running: true, address: broker, startedAt, ...rest, troubles: problems },
        null,
        2,
      ),
    );
    return 'ok';
  }
  const age = formatAge(Date.now() - stats.startedAtMs);
  terminal.result(`broker ${stats.pid} serves ${broker} for ${age}`);
  for (const line of storageLines(stats)) terminal.result(line);
  if (stats.diskFull) terminal.warn(diskFullText);
  for (const problem of problems) terminal.warn(problem);
  for (const line of queueTable(stats.queues)) terminal.result(line);
  return 'ok';
}

function notRunningJson(address: string, starting: Starting | null): string {
  const { pid, percent, jobs } = starting ?? {};
  const fields = starting === null ? {} : { starting: { pid, percent, jobs } };
  return JSON.stringify({ running: false, address, ...fields });
}

async function notRunning(broker: string, starting: Starting | null): Promise<string> {
  if (starting === null) return `no broker is running for ${broker}`;
  const { startingText } = await import('../../../host/index.ts');
  return startingText(broker, starting);
}

const diskFullText =
  'the disk is full: no job is accepted or delivered until space is freed; running jobs can still finish';

function storageLines(stats: EngineStats): string[] {
  const { logBytes, logLiveBytes, logSegments, durableOffset, historyOffset } = stats;
  const deadBytes = Math.max(0, logBytes - logLiveBytes);
  const segments = logSegments === 1 ? '1 segment' : `${logSegments} segments`;
  return [
    `log      ${formatBytes(logBytes)} in ${segments}: ${formatBytes(logLiveBytes)} live, ${formatBytes(deadBytes)} dead`,
    `disk     ${formatBytes(stats.diskFreeBytes)} free`,
    `history  up to record ${historyOffset} of ${durableOffset}`,
  ];
}

interface Found {
  readonly stats: EngineStats | null;
  /** Its present problems. */
  readonly problems: readonly string[];
  /** A broker that is recovering its log. */
  readonly starting: Starting | null;
}

async function statsOf(session: Session, broker: string): Promise<Found> {
  const folder = brokerFolder(broker);
  if (folder === null) {
    const queue = await session.queue();
    return { stats: await queue.engineStats(), problems: await queue.problems(), starting: null };
  }
  const { brokerStatus } = await import('../../../host/index.ts');
  const status = await brokerStatus(folder);
  return status.running
    ? { stats: status.stats, problems: status.problems, starting: null }
    : { stats: null, problems: [], starting: status.starting ?? null };
}
