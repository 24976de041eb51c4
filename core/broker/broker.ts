/**
 * The broker, put together: lock, recover, listen, tell where; then events from the I/O threads
 * through the core to log and outbox. The core has its clocks from here.
 */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { idToText } from '../protocol/index.ts';
import type { NetEvent, Now, Outgoing } from './events.ts';
import { prepareFolder, readOrMakeToken, removeEndpoints, writeEndpoints } from './folder.ts';
import { type FolderLock, lockFolder } from './folder-lock.ts';
import { watchIdle } from './idle-watch.ts';
import type { Log, RecoveryReport } from './log/contract.ts';
import { openLog } from './log/open.ts';
import { type IoPool, startIoPool } from './net/io-pool.ts';
import { type BrokerOptions, coreOptions, software, withDefaults } from './options.ts';
import { Outbox } from './outbox.ts';
import type { Effect } from './queue/core.ts';
import { QueueMachine } from './queue/machine.ts';
import { recoveryNotices } from './recovery-notices.ts';

/** Why a broker ended. `failed` means that it stopped itself rather than risk a promise. */
export type BrokerEnd =
  | { readonly reason: 'stopped' | 'idle' }
  | { readonly reason: 'failed'; readonly error: Error };

export interface RunningBroker {
  readonly id: string;
  readonly addresses: IoPool['addresses'];
  readonly recovery: RecoveryReport;
  /** Resolves when the broker is down, whatever the reason. */
  readonly closed: Promise<BrokerEnd>;
  /** Answers what is durable, closes the log cleanly, frees the folder. */
  stop(): Promise<void>;
}

const timerMsMax = 60_000;

/**
 * Starts a broker on a folder.
 * @throws FolderLockedError when another broker serves the folder
 * @throws LogDamagedError when the log is damaged where it may hold accepted jobs
 */
export async function startBroker(options: BrokerOptions): Promise<RunningBroker> {
  prepareFolder(options.dir);
  const lock = lockFolder(options.dir);
  try {
    return await Broker.start(options, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

class Broker implements RunningBroker {
  readonly id: string = idToText(randomBytes(16));
  readonly closed: Promise<BrokerEnd>;
  readonly #options: ReturnType<typeof withDefaults>;
  readonly #lock: FolderLock;
  readonly #machine: QueueMachine;
  readonly #outbox: Outbox;
  readonly #startedAtMs = Date.now();
  readonly #resolveClosed: (end: BrokerEnd) => void;
  #phase: 'starting' | 'serving' | 'stopping' | 'failing' | 'down' = 'starting';
  #timer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #log!: Log;
  #pool!: IoPool;
  #recovery!: RecoveryReport;

  static async start(options: BrokerOptions, lock: FolderLock): Promise<RunningBroker> {
    const broker = new Broker(options, lock);
    await broker.#open();
    return broker;
  }

  private constructor(options: BrokerOptions, lock: FolderLock) {
    this.#options = withDefaults(options);
    this.#lock = lock;
    this.#machine = new QueueMachine(coreOptions(options, this.id));
    this.#outbox = new Outbox((messages) => this.#pool.send(messages));
    const { promise, resolve } = Promise.withResolvers<BrokerEnd>();
    this.closed = promise;
    this.#resolveClosed = resolve;
  }

  get addresses(): IoPool['addresses'] {
    return this.#pool.addresses;
  }

  get recovery(): RecoveryReport {
    return this.#recovery;
  }

  async #open(): Promise<void> {
    const { dir } = this.#options;
    removeEndpoints(dir);
    await this.#recover();
    this.#run(() => this.#machine.start(this.#now()));
    try {
      this.#pool = await this.#listen();
    } catch (error) {
      this.#phase = 'down';
      await this.#log.close();
      throw error;
    }
    await this.#throwIfFailed();
    this.#phase = 'serving';
    this.#setTimer();
    const { addresses, id } = this;
    const startedAtMs = this.#startedAtMs;
    const { pid } = process;
    writeEndpoints(dir, { brokerId: id, pid, startedAtMs, software: software(), ...addresses });
    this.#watchIdle();
  }

  #listen(): Promise<IoPool> {
    const { dir, unix, tcp } = this.#options;
    return startIoPool({
      unixPath: unix ? join(dir, 'broker.sock') : null,
      tcp,
      token: tcp === null ? null : readOrMakeToken(dir),
      threads: this.#options.ioThreads,
      onEvents: (events) => this.#onEvents(events),
      onNotice: (text) => this.#notice(text),
      onThreadLost: (error) => this.#fail(error),
    });
  }

  async #recover(): Promise<void> {
    const opened = await openLog(
      {
        dir: join(this.#options.dir, 'log'),
        segmentBytesMax: this.#options.segmentBytesMax,
        onDurable: () => this.#reveal(),
        onFailure: (error) => this.#fail(error),
      },
      (record) => this.#machine.replay(record),
    );
    this.#log = opened.log;
    this.#recovery = opened.report;
    for (const notice of recoveryNotices(opened.report, this.#machine.jobCount)) {
      this.#notice(notice);
    }
  }

  /** The log may have failed while the threads started. */
  async #throwIfFailed(): Promise<void> {
    if (this.#phase === 'starting') return;
    await this.#pool.stop();
    const end = await this.closed;
    if (end.reason === 'failed') throw end.error;
  }

  #onEvents(events: readonly NetEvent[]): void {
    if (this.#phase !== 'serving') return;
    this.#run(() => this.#machine.handle(events, this.#now()));
  }

  /** Runs the core and carries out its effects. What it throws is a broken assumption: fail-stop. */
  #run(step: () => Effect[]): void {
    try {
      this.#perform(step());
      this.#reveal();
      this.#setTimer();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Lets answers leave that are durable now; after a failure none does. */
  #reveal(): void {
    if (this.#phase !== 'failing') this.#outbox.release(this.#log.durableOffset);
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case 'append':
          this.#log.append(effect.record);
          break;
        case 'send':
          this.#outbox.hold(this.#log.endOffset, effect.outgoing);
          break;
        case 'stats':
          this.#outbox.hold(this.#log.endOffset, this.#statsAnswer(effect));
          break;
        case 'shutdown':
          setImmediate(() => void this.stop());
          break;
      }
    }
  }

  #statsAnswer(effect: Extract<Effect, { type: 'stats' }>): Outgoing {
    const { connection, correlationId, queues } = effect;
    const fields: Outgoing<'StatsOk'>['fields'] = {
      pid: process.pid,
      startedAtMs: this.#startedAtMs,
      connections: this.#pool.connections,
      sessions: this.#machine.sessionCount,
      logBytes: this.#log.bytes,
      logLiveBytes: 0,
      logSegments: 0,
      durableOffset: this.#log.durableOffset,
      diskFreeBytes: 0,
      diskFull: false,
      historyOffset: 0,
      queues,
    };
    return { connection, correlationId, name: 'StatsOk', fields };
  }

  /** One timer for everything that becomes due. */
  #setTimer(): void {
    clearTimeout(this.#timer);
    if (this.#phase !== 'serving') return;
    const dueMs = this.#machine.nextDueMs(this.#now());
    if (dueMs === null) return;
    this.#timer = setTimeout(
      () => this.#run(() => this.#machine.tick(this.#now())),
      Math.min(dueMs, timerMsMax),
    );
  }

  #watchIdle(): void {
    const { idleExitMs } = this.#options;
    if (idleExitMs === null) return;
    this.#idleTimer = watchIdle({
      idleMs: idleExitMs,
      isBusy: () => this.#pool.connections > 0 || this.#machine.sessionCount > 0,
      onIdle: () => void this.#end({ reason: 'idle' }),
    });
  }

  stop(): Promise<void> {
    return this.#end({ reason: 'stopped' });
  }

  /** Takes nothing new, lets the last group become durable and its answers leave, then frees all. */
  async #end(end: BrokerEnd): Promise<void> {
    if (this.#phase !== 'serving') {
      await this.closed;
      return;
    }
    this.#phase = 'stopping';
    this.#clearTimers();
    try {
      removeEndpoints(this.#options.dir);
      await this.#pool.stopListening();
      await this.#log.close();
      this.#reveal();
      await this.#pool.stop();
      this.#down(end);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
      await this.closed;
    }
  }

  /** Answers nothing more: what is held never leaves, and recovery sorts it out. */
  #fail(error: Error): void {
    if (this.#phase === 'failing' || this.#phase === 'down') return;
    // A failure of the system says enough; a broken assumption needs its place.
    this.#notice(
      `stopping: ${'syscall' in error ? error.message : (error.stack ?? error.message)}`,
    );
    this.#clearTimers();
    const threadsToStop = this.#phase === 'starting' ? [] : [this.#pool];
    this.#phase = 'failing';
    void this.#goDown(threadsToStop, error);
  }

  /** The folder is free when nothing of this broker writes or listens: the next one may start then. */
  async #goDown(pools: readonly IoPool[], error: Error): Promise<void> {
    // What else goes wrong says less than the reason of the failure.
    await Promise.allSettled([this.#log.close(), ...pools.map((pool) => pool.stop())]);
    this.#down({ reason: 'failed', error });
  }

  #down(end: BrokerEnd): void {
    this.#phase = 'down';
    this.#lock.release();
    this.#resolveClosed(end);
  }

  #clearTimers(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#idleTimer);
  }

  #notice(text: string): void {
    this.#options.onNotice?.(text);
  }

  #now(): Now {
    return { monotonicMs: performance.now(), wallMs: Date.now() };
  }
}
