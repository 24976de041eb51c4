/**
 * Passes events of an I/O thread's connections to the state machine, one batch for each turn of the
 * event loop, within a send window: events on their way between the threads wait in one queue,
 * whatever connection they are from, so only few may be there.
 */

import type { NetEvent } from '../events.ts';
import type { NetLimits } from './net-limits.ts';
import { messageBytes, SendWindow } from './send-window.ts';

interface EventBatcherOptions {
  readonly limits: Pick<NetLimits, 'batchBytesMax' | 'sendWindowBytes'>;
  /** @param confirm the receiver is to confirm that it has taken them */
  readonly post: (events: NetEvent[], confirm: boolean) => void;
}

export class EventBatcher {
  readonly #options: EventBatcherOptions;
  readonly #window: SendWindow;
  #batch: NetEvent[] = [];
  #batchBytes = 0;
  #flush: NodeJS.Immediate | null = null;

  constructor(options: EventBatcherOptions) {
    this.#options = options;
    this.#window = new SendWindow(options.limits.sendWindowBytes);
  }

  /** True while connections may read more. */
  get isOpen(): boolean {
    return this.#window.isOpen;
  }

  /** Adds an event that came in a frame of `frameBytes`. */
  add(event: NetEvent, frameBytes: number): void {
    this.#batch.push(event);
    this.#batchBytes += messageBytes + frameBytes;
    if (this.#batchBytes >= this.#options.limits.batchBytesMax) this.#post();
    else this.#flush ??= setImmediate(() => this.#post());
  }

  /** A confirmation arrived. */
  taken(): void {
    this.#window.taken();
  }

  #post(): void {
    if (this.#flush !== null) clearImmediate(this.#flush);
    this.#flush = null;
    const events = this.#batch;
    const confirm = this.#window.add(this.#batchBytes);
    this.#batch = [];
    this.#batchBytes = 0;
    this.#options.post(events, confirm);
  }
}
