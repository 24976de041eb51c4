/**
 * The broker, put together: lock, recover, listen, tell where; then events from the I/O threads
 * through the core to log and outbox. The core has its clocks from here.
 */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { AiqError, errorCodes, idToText } from '../protocol/index.ts';
import { BrokerClock, stepMsMaxOf } from './broker-clock.ts';
import { Engine } from './engine.ts';
import type { EffectOf } from './engine-options.ts';
import type { NetEvent, Outgoing } from './events.ts';
import { prepareFolder, readOrMakeToken, removeEndpoints, writeEndpoints } from './folder.ts';
import { type FolderLock, lockFolder } from './folder-lock.ts';
import { type History, startHistory } from './history/history.ts';
import { IdleMemory } from './idle-memory.ts';
import { watchIdle } from './idle-watch.ts';
import type { RecoveryReport } from './log/contract.ts';
import { type IoPool, startIoPool } from './net/io-pool.ts';
import { type BrokerOptions, coreOptions, software, withDefaults } from './options.ts';
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
  readonly #startedAtMs = Date.now();
  readonly #resolveClosed: (end: BrokerEnd) => void;
  #phase: 'starting' | 'serving' | 'stopping' | 'failing' | 'down' = 'starting';
  #idleTimer: NodeJS.Timeout | undefined;
  readonly #memory = new IdleMemory();
  #engine!: Engine;
  #pool!: IoPool;
  #history: History | null = null;
  /** Closes what was opened so far. */
  readonly #closers: (() => Promise<void>)[] = [];
  #recovery!: RecoveryReport;

  static async start(options: BrokerOptions, lock: FolderLock): Promise<RunningBroker> {
    const broker = new Broker(options, lock);
    await broker.#open();
    return broker;
  }

  private constructor(options: BrokerOptions, lock: FolderLock) {
    this.#options = withDefaults(options);
    this.#lock = lock;
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
    await this.#openEngine();
    try {
      this.#pool = await this.#listen();
    } catch (error) {
      this.#phase = 'down';
      await this.#history?.close();
      await this.#engine.close();
      throw error;
    }
    await this.#throwIfFailed();
    this.#phase = 'serving';
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
      guard: tcp === null ? null : { token: readOrMakeToken(dir), broker: this.id },
      threads: this.#options.ioThreads,
      onEvents: (events) => this.#onEvents(events),
      onNotice: (text) => this.#notice(text),
      onThreadLost: (error) => this.#fail(error),
    });
  }

  async #openEngine(): Promise<void> {
    const { dir, segmentBytesMax, history } = this.#options;
    const core = coreOptions(this.#options, this.id);
    const { engine, report } = await Engine.open({
      core,
      dir: join(dir, 'log'),
      segmentBytesMax,
      clock: new BrokerClock({
        stepMsMax: stepMsMaxOf(core.leaseMs),
        onNotice: (text) => this.#notice(text),
      }),
      send: (messages) => this.#pool.send(messages),
      statsAnswer: (effect) => this.#statsAnswer(effect),
      onSearch: (effect) => void this.#search(effect),
      onShutdown: () => setImmediate(() => void this.stop()),
      onDurable: () => {
        this.#memory.touch();
        this.#history?.onDurable();
      },
      onDiskFull: (full) => this.#history?.pause(full),
      onNotice: (text) => this.#notice(text),
      onFailure: (error) => this.#fail(error),
    });
    this.#engine = engine;
    this.#closers.push(() => engine.close());
    this.#recovery = report;
    for (const notice of recoveryNotices(report, engine.jobCount)) this.#notice(notice);
    if (!history) return;
    const started = startHistory({
      file: join(dir, 'history.sqlite'),
      logId: engine.log.id,
      log: engine.log,
      onNotice: (text) => this.#notice(text),
    });
    // It stops first: it reads the log.
    this.#closers.unshift(() => started.close());
    if (engine.diskFull) started.pause(true);
    this.#history = started;
  }

  /** The log may have failed while the threads started. */
  async #throwIfFailed(): Promise<void> {
    if (this.#phase === 'starting') return;
    await this.#pool.stop();
    const end = await this.closed;
    if (end.reason === 'failed') throw end.error;
  }

  #onEvents(events: readonly NetEvent[]): void {
    this.#memory.touch();
    if (this.#phase === 'serving') this.#engine.handle(events);
  }

  #statsAnswer({ connection, correlationId, queues, logLiveBytes }: EffectOf<'stats'>): Outgoing {
    const { log, diskFreeBytes, diskFull } = this.#engine;
    const fields: Outgoing<'StatsOk'>['fields'] = {
      pid: process.pid,
      startedAtMs: this.#startedAtMs,
      connections: this.#pool.connections,
      sessions: this.#engine.sessionCount,
      logBytes: log.bytes,
      // What the core counts is an upper bound.
      logLiveBytes: Math.min(logLiveBytes, log.bytes),
      logSegments: log.segments.length,
      durableOffset: log.durableOffset,
      diskFreeBytes,
      diskFull,
      historyOffset: this.#history?.offset ?? 0,
      queues,
    };
    return { connection, correlationId, name: 'StatsOk', fields };
  }

  /** Search sees everything that was answered before it was asked. */
  async #search({ connection, correlationId, filter }: EffectOf<'search'>): Promise<void> {
    try {
      if (this.#history === null) {
        throw new AiqError('UNSUPPORTED', 'this broker keeps no history');
      }
      const fields = await this.#history.search(filter, this.#engine.log.durableOffset);
      this.#engine.hold({ connection, correlationId, name: 'SearchOk', fields });
    } catch (error) {
      const { code, message } =
        error instanceof AiqError ? error : new AiqError('INTERNAL', String(error));
      const fields = { code: errorCodes[code].number, message };
      this.#engine.hold({ connection, correlationId, name: 'Error', fields });
    }
  }

  #watchIdle(): void {
    const { idleExitMs } = this.#options;
    if (idleExitMs === null) return;
    this.#idleTimer = watchIdle({
      idleMs: idleExitMs,
      isBusy: () => this.#pool.connections > 0 || this.#engine.sessionCount > 0,
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
      await this.#history?.close();
      await this.#engine.close();
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
    await Promise.allSettled([
      ...this.#closers.map((close) => close()),
      ...pools.map((pool) => pool.stop()),
    ]);
    this.#down({ reason: 'failed', error });
  }

  #down(end: BrokerEnd): void {
    this.#phase = 'down';
    this.#lock.release();
    this.#resolveClosed(end);
  }

  #clearTimers(): void {
    clearInterval(this.#idleTimer);
    this.#memory.stop();
  }

  #notice(text: string): void {
    this.#options.onNotice?.(text);
  }
}
