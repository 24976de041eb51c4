/**
 * Collects what the connections of a thread received and hands it to the core, one batch for each
 * turn of the event loop.
 */

import type { NetEvent } from '../events.ts';
import type { NetLimits } from './net-limits.ts';

export interface Inbox {
  /** Adds an event that came in a frame of `frameBytes`. */
  add(event: NetEvent, frameBytes: number): void;
}

interface InboxOptions {
  readonly limits: Pick<NetLimits, 'batchBytesMax'>;
  readonly post: (events: NetEvent[]) => void;
}

export function createInbox({ limits, post }: InboxOptions): Inbox {
  let batch: NetEvent[] = [];
  let batchBytes = 0;
  let flush: NodeJS.Immediate | null = null;

  function flushNow(): void {
    if (flush !== null) clearImmediate(flush);
    flush = null;
    const events = batch;
    batch = [];
    batchBytes = 0;
    post(events);
  }

  return {
    add(event, frameBytes) {
      batch.push(event);
      batchBytes += frameBytes;
      if (batchBytes >= limits.batchBytesMax) flushNow();
      else flush ??= setImmediate(flushNow);
    },
  };
}
