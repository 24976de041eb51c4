/**
 * A slot of the pool: one I/O thread, restarted when it dies, on the same addresses and without reusing
 * connection numbers. Messages to the dead thread's connections are dropped.
 */

import { performance } from 'node:perf_hooks';
import type { CrashGuard } from '../../../base/index.ts';
import type { NetEvent, Outgoing } from '../../events.ts';
import { ReceiveBudget } from '../receive-budget.ts';
import { ConnectionCounts } from './connection-counts.ts';
import { IoThread } from './io-thread-handle.ts';
import type { Addresses, Listen, ThreadSetup } from './thread-messages.ts';

export interface SlotOptions {
  /** For its first thread; the addresses come with `start`. */
  readonly setup: Omit<ThreadSetup, 'listen'>;
  readonly guard: CrashGuard;
  readonly onEvents: (events: NetEvent[]) => void;
  /** The thread confirmed messages. */
  readonly onDrained: () => void;
  /** A notice for the operator: a thread was restarted, or a client refused or cut off. */
  readonly onNotice: (text: string) => void;
  /** True when the thread died and will be restarted; false when the next one listens. */
  readonly onDown: (isDown: boolean) => void;
  /** Threads died too often: this one is not restarted. */
  readonly onLost: (error: Error) => void;
}

export class ThreadSlot {
  readonly #options: SlotOptions;
  readonly #counts: ConnectionCounts;
  readonly #receiveBudget: ReceiveBudget;
  #listen: Listen = { unix: null, tcp: null, sharePort: false };
  #thread: IoThread | null = null;
  #isDown = false;
  #isClosing = false;
  #restart: NodeJS.Timeout | undefined;

  constructor(options: SlotOptions) {
    this.#options = options;
    const { connectionCountCells, receiveBudgetCells, thread, limits } = options.setup;
    this.#counts = new ConnectionCounts(connectionCountCells, thread);
    this.#receiveBudget = new ReceiveBudget(receiveBudgetCells, thread, limits);
  }

  /** Open connections of its thread. */
  get connections(): number {
    return this.#thread?.connections ?? 0;
  }

  /**
   * Starts the first thread and returns where it listens.
   * @throws ListenError when it cannot listen; nothing is started again then
   */
  async start(listen: Listen): Promise<Addresses> {
    const addresses = await this.#startThread(listen).listening;
    // A restarted thread uses the same port, also when the system chose it.
    this.#listen = { ...listen, ...addresses };
    return addresses;
  }

  send(messages: readonly Outgoing[]): void {
    this.#thread?.send(messages);
  }

  /** False while many messages to the thread are unconfirmed: back pressure. */
  get isOpen(): boolean {
    return this.#thread?.isOpen ?? true;
  }

  /** From here on a thread that dies is not restarted, as it could get no connections. */
  async stopListening(): Promise<void> {
    this.#close();
    await this.#thread?.stopListening();
  }

  async stop(): Promise<void> {
    this.#close();
    await this.#thread?.stop();
  }

  #close(): void {
    this.#isClosing = true;
    clearTimeout(this.#restart);
  }

  #startThread(listen: Listen): IoThread {
    const { setup, onEvents, onDrained, onNotice } = this.#options;
    const firstConnection = this.#thread?.nextConnection ?? setup.firstConnection;
    this.#thread = new IoThread({
      setup: { ...setup, listen, firstConnection },
      onEvents,
      onDrained,
      onNotice,
      onLost: (error) => this.#lost(error),
    });
    return this.#thread;
  }

  #lost(error: Error): void {
    // `closed` was reported for each of its connections before.
    this.#counts.clear();
    this.#receiveBudget.clear();
    if (this.#isClosing) return;
    const { guard, onNotice, onLost } = this.#options;
    const delayMs = guard(performance.now());
    if (delayMs === null) {
      this.#close();
      const message = `I/O threads of the broker die too often, the last one with: ${error.message}`;
      onLost(new Error(message, { cause: error }));
      return;
    }
    onNotice(`an I/O thread died (${error.message}) and starts again; its clients reconnect`);
    this.#down(true);
    this.#restart = setTimeout(() => this.#startAgain(), delayMs);
  }

  /** A thread that cannot listen counts as one more that died. */
  #startAgain(): void {
    const { listening } = this.#startThread(this.#listen);
    listening.then(
      () => this.#down(false),
      (error: Error) => this.#lost(error),
    );
  }

  #down(isDown: boolean): void {
    if (isDown === this.#isDown) return;
    this.#isDown = isDown;
    this.#options.onDown(isDown);
  }
}
