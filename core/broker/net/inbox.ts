/**
 * Collects what the connections of a thread received and hands it to the core, one batch for each
 * turn of the event loop. Knows how many bytes the core has not taken yet, and says when to stop
 * reading and when to go on.
 */

import type { NetEvent } from '../events.ts';
import type { NetLimits } from './net-limits.ts';

/** Cost of an event besides its frame, so that many tiny requests count too. */
const eventBytes = 128;

export interface Inbox {
  /** Adds an event that came in a frame of `frameBytes`. */
  add(event: NetEvent, frameBytes: number): void;
  /** The core has taken so many bytes of what was posted. */
  taken(bytes: number): void;
  /** True while nothing more should be read from the peers. */
  readonly congested: boolean;
}

interface InboxOptions {
  readonly limits: Pick<NetLimits, 'inboxBytesMax' | 'batchBytesMax'>;
  readonly post: (events: NetEvent[], bytes: number) => void;
  /** Called whenever `congested` has changed. */
  readonly onCongestion: () => void;
}

export function createInbox({ limits, post, onCongestion }: InboxOptions): Inbox {
  let batch: NetEvent[] = [];
  let batchBytes = 0;
  let untakenBytes = 0;
  let congested = false;
  let flush: NodeJS.Immediate | null = null;

  function flushNow(): void {
    if (flush !== null) clearImmediate(flush);
    flush = null;
    const events = batch;
    const bytes = batchBytes;
    batch = [];
    batchBytes = 0;
    post(events, bytes);
  }

  /** Two marks, so that reading does not flap: stop when full, go on when half empty. */
  function weigh(): void {
    const mark = congested ? limits.inboxBytesMax / 2 : limits.inboxBytesMax;
    const full = untakenBytes > mark;
    if (full === congested) return;
    congested = full;
    onCongestion();
  }

  return {
    add(event, frameBytes) {
      batch.push(event);
      batchBytes += frameBytes + eventBytes;
      untakenBytes += frameBytes + eventBytes;
      if (batchBytes >= limits.batchBytesMax) flushNow();
      else flush ??= setImmediate(flushNow);
      weigh();
    },
    taken(bytes) {
      untakenBytes -= bytes;
      weigh();
    },
    get congested() {
      return congested;
    },
  };
}
