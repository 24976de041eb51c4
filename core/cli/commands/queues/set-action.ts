/** `aiq queues set`: limits and retention of one queue. */

import type { QueueInfo, QueueSettings } from '../../../job-queue/index.ts';
import { usageError } from '../../errors.ts';
import type { ExitName } from '../../exit-codes.ts';
import { parseCount, parseSize, readDuration } from '../../input/values.ts';
import { findQueue } from '../../output/queue-view.ts';
import type { Session } from '../../session.ts';

interface SetFlags {
  readonly maxJobs?: string;
  readonly maxBytes?: string;
  readonly keep?: string;
  readonly keepJobs?: string;
}

/** Sets what is named and leaves the rest; 0 goes back to what holds for the whole broker. */
export async function setQueue(session: Session, name: string, flags: SetFlags): Promise<ExitName> {
  if (Object.keys(flags).length === 0) {
    throw usageError('nothing to set', 'Give --max-jobs, --max-bytes, --keep or --keep-jobs.');
  }
  const changes = changesOf(flags);
  const settings = { ...settingsOf(await findQueue(session, name)), ...changes };
  await (await session.queue()).configureQueue(name, settings);
  const { terminal } = session;
  if (terminal.json) terminal.result(JSON.stringify(await findQueue(session, name), null, 2));
  terminal.note(`set ${name}. See: aiq queues show ${name}`);
  return 'ok';
}

function settingsOf({ jobsMax, bytesMax, keepMs, keepJobs }: QueueInfo): QueueSettings {
  return { jobsMax, bytesMax, keepMs, keepJobs };
}

/** @throws CliError `usage` */
function changesOf({ maxJobs, maxBytes, keep, keepJobs }: SetFlags): Partial<QueueSettings> {
  return {
    ...(maxJobs === undefined ? {} : { jobsMax: orZero('--max-jobs', maxJobs, count) }),
    ...(maxBytes === undefined ? {} : { bytesMax: orZero('--max-bytes', maxBytes, parseSize) }),
    ...(keep === undefined ? {} : { keepMs: orZero('--keep', keep, readDuration) }),
    ...(keepJobs === undefined ? {} : { keepJobs: orZero('--keep-jobs', keepJobs, count) }),
  };
}

function count(flag: string, text: string): number {
  return parseCount(flag, text, Number.MAX_SAFE_INTEGER);
}

function orZero(flag: string, text: string, parse: (flag: string, text: string) => number): number {
  return text === '0' ? 0 : parse(flag, text);
}
