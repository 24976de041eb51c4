/** Formats queues, and finds the one that was typed. */

import { type QueueInfo } from '../../job-queue/index.ts';
import { CliError } from '../errors.ts';
import type { Session } from '../session.ts';
import { formatAge, formatBytes, formatElapsed, formatTable } from './format.ts';
import { outputWidth } from './terminal.ts';

const heading = ['QUEUE', 'READY', 'DELAYED', 'LEASED', 'DONE', 'DEAD', 'WORKERS', 'OLDEST', ''];

/** One line for each queue, with a heading at a terminal. */
export function queueTable(queues: readonly QueueInfo[]): string[] {
  if (queues.length === 0) return [];
  const rows = queues.map((info) => [
    info.queue,
    ...[info.ready, info.delayed, info.leased, info.done, info.dead, info.consumers].map(String),
    info.oldestReadyMs === 0 ? '-' : formatAge(info.oldestReadyMs),
    remarksOf(info),
  ]);
  return formatTable(heading, rows, outputWidth());
}

/** Remarks for the column without a heading: paused, parked jobs. */
function remarksOf({ paused, parked }: QueueInfo): string {
  return [...(paused ? ['paused'] : []), ...(parked > 0 ? [`${parked} parked`] : [])].join(', ');
}

/** Details of one queue, one line per label. */
export function formatQueueDetails(info: QueueInfo): string[] {
  const rows: readonly (readonly [label: string, value: string])[] = [
    ['queue', info.queue],
    ['deliveries', info.paused ? 'paused' : 'running'],
    ['ready', String(info.ready)],
    ['delayed', String(info.delayed)],
    ['parked', String(info.parked)],
    ['leased', String(info.leased)],
    ['done', String(info.done)],
    ['dead', String(info.dead)],
    ['cancelled', String(info.cancelled)],
    ['workers', String(info.consumers)],
    ['oldest', info.oldestReadyMs === 0 ? '-' : formatAge(info.oldestReadyMs)],
    ['bytes', formatBytes(info.bytes)],
    ['limits', limitsText(info)],
    ['keeps', keepText(info)],
  ];
  return rows.map(([label, value]) => `${label.padEnd(12)}${value}`);
}

/** The queue's own limits, which apply in addition to the broker's. */
function limitsText({ jobsMax, bytesMax }: QueueInfo): string {
  const jobs = jobsMax === 0 ? [] : [`${jobsMax} jobs`];
  const bytes = bytesMax === 0 ? [] : [formatBytes(bytesMax)];
  return [...jobs, ...bytes].join(', ') || "the broker's";
}

/** How long and how many finished jobs are kept. */
function keepText({ keepMs, keepJobs }: QueueInfo): string {
  const time = keepMs === 0 ? [] : [`finished jobs for ${formatElapsed(keepMs)}`];
  const jobs = keepJobs === 0 ? [] : [`${keepJobs} finished jobs`];
  return [...time, ...jobs].join(', at most ') || "the broker's settings";
}

/**
 * A queue that holds or held jobs, or that an agent here feeds.
 * @throws CliError `notFound` for any other name, with what may have been meant
 */
export async function findQueue(session: Session, name: string): Promise<QueueInfo> {
  const queue = await session.queue();
  const { queues } = await queue.stats();
  const known = queues.find((info) => info.queue === name);
  if (known !== undefined) return known;
  const { didYouMean, discoverAgents } = await import('../../agent/index.ts');
  const { agents } = await discoverAgents((await session.config()).agentPaths);
  const names = [...new Set([...queues, ...agents].map((one) => one.queue))];
  if (names.includes(name)) {
    const [info] = (await queue.stats([name])).queues;
    if (info !== undefined) return info;
  }
  const near = didYouMean(name, names);
  throw new CliError('notFound', `no queue "${name}"`, [
    near === null ? 'See: aiq queues list' : `Did you mean "${near}"?`,
  ]);
}
