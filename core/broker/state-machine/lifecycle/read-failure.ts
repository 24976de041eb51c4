/** Jobs that were delivered and then could not be read: an error hands them back, damage ends them. */

import type { LeaseToken } from '../../../protocol/index.ts';
import type { Now } from '../../events.ts';
import type { Core } from '../context/core.ts';
import type { CoreEvent } from '../context/effects.ts';
import { damagedInARowMax } from '../context/read-pause.ts';
import { isNewest, type JobEntry } from '../state/job-entry.ts';
import { endLease } from './lease-end.ts';

type ReadEvent = Extract<CoreEvent, { type: 'unreadable' | 'unread' | 'readAgain' }>;

export function isOfReading(event: CoreEvent): event is ReadEvent {
  const { type } = event;
  return type === 'unreadable' || type === 'unread' || type === 'readAgain';
}

/** Handles the outcome of reading jobs that were just delivered. */
export function afterReading(core: Core, event: ReadEvent, now: Now): void {
  if (event.type === 'unreadable') endDamaged(core, event.tokens, now);
  else if (event.type === 'unread') {
    core.readPause.failed(now.monotonicMs);
    handBack(core, event, now);
  } else core.readPause.succeeded();
}

/**
 * Jobs that were just handed out and whose bytes the log no longer holds undamaged: they are dead. Of
 * many at once the first few are; the others come up again after a pause.
 */
function endDamaged(core: Core, tokens: readonly LeaseToken[], now: Now): void {
  core.readPause.foundDamage(now.monotonicMs);
  const rest = tokens.slice(damagedInARowMax);
  handBack(core, { tokens: rest, reason: 'jobs beside it are damaged' }, now);
  for (const job of stillHeld(core, tokens.slice(0, damagedInARowMax))) {
    endLease(core, job, now, {
      end: 'damaged',
      errorCode: 'damaged',
      errorMessage:
        'its bytes in the log are damaged: run  aiq broker verify  and restore from a backup',
    });
  }
}

interface Unread {
  readonly tokens: readonly LeaseToken[];
  readonly reason: string;
}

/** Not counted: the broker never sent the job, and the error is no evidence about it. */
function handBack(core: Core, { tokens, reason }: Unread, now: Now): void {
  for (const job of stillHeld(core, tokens)) {
    endLease(core, job, now, {
      end: 'returned',
      errorCode: 'read_failed',
      errorMessage: `it was not sent, because it could not be read: ${reason}`,
      uncounted: true,
    });
  }
}

/** The jobs of these leases, but for those whose lease ended while they were read: another may have it. */
function* stillHeld({ state }: Core, tokens: readonly LeaseToken[]): Generator<JobEntry> {
  for (const token of tokens) {
    const job = state.jobs.get(token.id);
    if (job?.state === 'leased' && isNewest(job, token)) yield job;
  }
}
