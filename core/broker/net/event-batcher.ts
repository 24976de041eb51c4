/**
 * Collects what the connections of a thread received and hands it to the core, one batch for each
 * turn of the event loop. Only so much is handed over before the core has taken what came before: what
 * waits between the threads waits in one line, whoever sent it.
 */

import type { NetEvent } from '../events.ts';
import type { NetLimits } from './net-limits.ts';
import { messageBytes, SendWindow } from './send-window.ts';

interface EventBatcherOptions {
  readonly limits: Pick<NetLimits, 'batchBytesMax' | 'sendWindowBytes'>;
  /** @param confirm the core is to say when it has taken them */
  readonly post: (events: NetEvent[], confirm: boolean) => void;
}

export class EventBatcher {
  readonly #options: EventBatcherOptions;
  readonly #ahead: SendWindow;
  #batch: NetEvent[] = [];
  #batchBytes = 0;
  #flush: NodeJS.Immediate | null = null;

  constructor(options: EventBatcherOptions) {
    this.#options = options;
    this.#ahead = new SendWindow(options.limits.sendWindowBytes);
  }

  /** True while more may be read for the core. */
  get isOpen(): boolean {
    return this.#ahead.isOpen;
  }

  /** Adds an event that came in a frame of `frameBytes`. */
  add(event: NetEvent, frameBytes: number): void {
    this.#batch.push(event);
    this.#batchBytes += messageBytes + frameBytes;
    if (this.#batchBytes >= this.#options.limits.batchBytesMax) this.#post();
    else this.#flush ??= setImmediate(() => this.#post());
  }

  /** The core has taken what it was to confirm. */
  taken(): void {
    this.#ahead.taken();
  }

  #post(): void {
    if (this.#flush !== null) clearImmediate(this.#flush);
    this.#flush = null;
    const events = this.#batch;
    const confirm = this.#ahead.add(this.#batchBytes);
    this.#batch = [];
    this.#batchBytes = 0;
    this.#options.post(events, confirm);
  }
}
