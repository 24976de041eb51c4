/** The main thread's handle of an I/O thread: starts it, exchanges messages, and detects its death. */

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { ConnectionId, NetEvent, Outgoing } from '../../events.ts';
import { ListenError } from '../listen/listen-error.ts';
import { encodeMessages } from '../outgoing.ts';
import { messageBytes, SendWindow } from '../send-window.ts';
import { unpackEvents } from './packed-events.ts';
import type { Addresses, FromThread, ThreadSetup, ToThread } from './thread-messages.ts';

interface IoThreadOptions {
  readonly setup: ThreadSetup;
  readonly onEvents: (events: NetEvent[]) => void;
  /** The thread confirmed messages. */
  readonly onDrained: () => void;
  /** A notice for the operator. */
  readonly onNotice: (text: string) => void;
  /** The thread ended unexpectedly after it listened; `closed` was reported for all its connections. */
  readonly onLost: (error: Error) => void;
}

/** A thread that runs so long after its own deadline hangs and is terminated. */
const terminateGraceMs = 1_000;

/** `starting` until it listens; `ended` once the thread has ended for any reason. */
type ThreadState = 'starting' | 'running' | 'stopping' | 'ended';

/** Most allocations are short-lived: a large young generation would only take memory. */
const resourceLimits = { maxYoungGenerationSizeMb: 12 };

export class IoThread {
  readonly #options: IoThreadOptions;
  readonly #worker: Worker;
  readonly #window: SendWindow;
  readonly #open = new Set<ConnectionId>();
  readonly #listening = Promise.withResolvers<Addresses>();
  readonly #notListening = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #nextConnection: ConnectionId;
  #state: ThreadState = 'starting';
  #failure: Error | null = null;

  constructor(options: IoThreadOptions) {
    this.#options = options;
    this.#window = new SendWindow(options.setup.limits.sendWindowBytes);
    // The extension of this file, because the built package holds .js files only.
    const entry = new URL(`./io-thread${extname(import.meta.url)}`, import.meta.url);
    this.#nextConnection = options.setup.firstConnection;
    const name = `aiq-io-${options.setup.thread}`;
    const workerData = options.setup;
    this.#worker = new Worker(entry, { workerData, execArgv: [], name, resourceLimits });
    this.#worker.on('message', (message: FromThread) => this.#onMessage(message));
    this.#worker.on('error', (error: Error) => {
      this.#failure = error;
    });
    this.#worker.on('exit', (code) => this.#onExit(code));
  }

  /**
   * Resolves when the thread listens, with the addresses as bound.
   * @throws ListenError when it cannot
   */
  get listening(): Promise<Addresses> {
    return this.#listening.promise;
  }

  /** Open connections of this thread. */
  get connections(): number {
    return this.#open.size;
  }

  /** A number in this thread's sequence above all that were used. */
  get nextConnection(): ConnectionId {
    return this.#nextConnection;
  }

  post(message: ToThread): void {
    const transfer = message.type === 'send' ? [message.encoded.bytes.buffer] : [];
    this.#worker.postMessage(message, transfer);
  }

  /** Sends messages to connections of this thread. */
  send(messages: readonly Outgoing[]): void {
    const encoded = encodeMessages(messages);
    const bytes = encoded.bytes.length + messageBytes * messages.length;
    this.post({ type: 'send', encoded, confirm: this.#window.add(bytes) });
  }

  /** False while many messages are unconfirmed: back pressure. */
  get isOpen(): boolean {
    return this.#window.isOpen;
  }

  async stopListening(): Promise<void> {
    this.post({ type: 'stopListening' });
    await this.#notListening.promise;
  }

  /** Resolves when the thread has ended. */
  async stop(): Promise<void> {
    if (this.#state === 'running') {
      this.#state = 'stopping';
      this.post({ type: 'stop' });
    } else if (this.#state === 'starting') {
      void this.#worker.terminate();
    }
    const deadlineMs = this.#options.setup.limits.stopMs + terminateGraceMs;
    const deadline = setTimeout(() => void this.#worker.terminate(), deadlineMs);
    await this.#ended.promise;
    clearTimeout(deadline);
  }

  #onMessage(message: FromThread): void {
    switch (message.type) {
      case 'listening':
        this.#state = 'running';
        this.#listening.resolve(message.addresses);
        break;
      case 'failed':
        this.#failure = new ListenError(message.code, message.message);
        break;
      case 'events':
        if (this.#state === 'running') this.#onEvents(unpackEvents(message.events));
        // After everything due in this turn of the event loop.
        if (message.confirm) setImmediate(() => this.post({ type: 'taken' }));
        break;
      case 'taken':
        this.#window.taken();
        this.#options.onDrained();
        break;
      case 'notice':
        this.#options.onNotice(message.text);
        break;
      case 'stoppedListening':
        this.#notListening.resolve();
        break;
    }
  }

  #onEvents(events: NetEvent[]): void {
    for (const { type, connection } of events) {
      if (type === 'closed') this.#open.delete(connection);
      if (type !== 'opened') continue;
      this.#open.add(connection);
      const next = connection + this.#options.setup.connectionStep;
      this.#nextConnection = Math.max(this.#nextConnection, next);
    }
    this.#options.onEvents(events);
  }

  #onExit(code: number): void {
    const wasRunning = this.#state === 'running';
    const error = this.#failure ?? new Error(`it ended with code ${code}`);
    this.#state = 'ended';
    this.#listening.reject(error);
    this.#notListening.resolve();
    this.#ended.resolve();
    if (!wasRunning) return;
    const closed = [...this.#open].map((connection): NetEvent => ({ type: 'closed', connection }));
    this.#open.clear();
    if (closed.length > 0) this.#options.onEvents(closed);
    this.#options.onLost(error);
  }
}
