/**
 * One place of the pool. The thread in it may die and is started again, on the same addresses and
 * without ever reusing the number of a connection; what was sent to the dead one's peers is dropped.
 */

import { performance } from 'node:perf_hooks';
import type { NetEvent, Outgoing } from '../../events.ts';
import { ReceiveBudget } from '../receive-budget.ts';
import { ConnectionCounts } from './connection-counts.ts';
import type { CrashGuard } from './crash-guard.ts';
import { IoThread } from './io-thread-handle.ts';
import type { Addresses, Listen, ThreadSetup, ToThread } from './thread-messages.ts';

export interface SlotOptions {
  /** For its first thread; what it listens on comes with `start`. */
  readonly setup: Omit<ThreadSetup, 'listen'>;
  readonly guard: CrashGuard;
  readonly onEvents: (events: NetEvent[]) => void;
  /** The thread has taken some of what it was to send. */
  readonly onTaken: () => void;
  /** Told when a thread died and starts again, and who was refused or cut off. */
  readonly onNotice: (text: string) => void;
  /** The thread is gone and will be replaced; or the next one listens. */
  readonly onDown: (isDown: boolean) => void;
  /** Threads died too often: there will be no other in this place. */
  readonly onLost: (error: Error) => void;
}

export class ThreadSlot {
  readonly #options: SlotOptions;
  readonly #crowd: ConnectionCounts;
  readonly #intake: ReceiveBudget;
  #listen: Listen = { unix: null, tcp: null, sharePort: false };
  #thread: IoThread | null = null;
  #isDown = false;
  #isClosing = false;
  #restart: NodeJS.Timeout | undefined;

  constructor(options: SlotOptions) {
    this.#options = options;
    const { connectionCountCells, receiveBudgetCells, thread, limits } = options.setup;
    this.#crowd = new ConnectionCounts(connectionCountCells, thread);
    this.#intake = new ReceiveBudget(receiveBudgetCells, thread, limits);
  }

  /** Connections of this place that the core knows. */
  get connections(): number {
    return this.#thread?.connections ?? 0;
  }

  /**
   * Starts the first thread and returns where it listens.
   * @throws ListenError when it cannot listen; nothing is started again then
   */
  async start(listen: Listen): Promise<Addresses> {
    const addresses = await this.#startThread(listen).listening;
    // A next thread takes the port that the first one got, also when that was chosen for it.
    this.#listen = { ...listen, ...addresses };
    return addresses;
  }

  send(messages: readonly Outgoing[]): void {
    this.#thread?.send(messages);
  }

  /** False while the thread has much to send that it has not taken. */
  get takes(): boolean {
    return this.#thread?.takes ?? true;
  }

  tell(message: ToThread): void {
    this.#thread?.tell(message);
  }

  /** From here on a thread that dies is not replaced: it could get no connections. */
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
    const { setup, onEvents, onTaken, onNotice } = this.#options;
    const firstConnection = this.#thread?.nextConnection ?? setup.firstConnection;
    this.#thread = new IoThread({
      setup: { ...setup, listen, firstConnection },
      onEvents,
      onTaken,
      onNotice,
      onLost: (error) => this.#lost(error),
    });
    return this.#thread;
  }

  #lost(error: Error): void {
    // `closed` came to the core for each of its connections before.
    this.#crowd.clear();
    this.#intake.clear();
    if (this.#isClosing) return;
    const { guard, onNotice, onLost } = this.#options;
    const delayMs = guard(performance.now());
    if (delayMs === null) {
      this.#close();
      const message = `I/O threads of the broker die too often, the last one with: ${error.message}`;
      onLost(new Error(message, { cause: error }));
      return;
    }
    onNotice(`an I/O thread died (${error.message}); its clients reconnect, it starts again`);
    this.#down(true);
    this.#restart = setTimeout(() => this.#startAgain(), delayMs);
  }

  /** A thread that cannot even listen counts as one more that died. */
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
