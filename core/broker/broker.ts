/**
 * The broker, put together: lock, recover, listen, tell where; then events from the I/O threads
 * through the core to log and outbox. The core has its clocks from here.
 */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { idToText } from '../protocol/index.ts';
import type { BrokerClock } from './broker-clock.ts';
import { Engine } from './engine/engine.ts';
import type { EffectOf } from './engine/engine-options.ts';
import { SearchAnswers } from './engine/search-answers.ts';
import type { NetEvent, Outgoing } from './events.ts';
import { startClock } from './folder/clock-file.ts';
import { readOrMakeToken, removeEndpoints, writeEndpoints } from './folder/folder.ts';
import { FolderGoneError, HeldFolder, heldDisk } from './folder/held-folder.ts';
import { type Recovered, StartProgress } from './folder/start-progress.ts';
import { IdleMemory } from './idle-memory.ts';
import { watchIdle } from './idle-watch.ts';
import type { RecoveryReport } from './log/contract.ts';
import { nodeDisk } from './log/disk.ts';
import { type IoPool, startIoPool } from './net/pool/io-pool.ts';
import { NoticeLimit } from './notice-limit.ts';
import { type BrokerOptions, coreOptions, software, withDefaults } from './options.ts';
import { recoveryNotices } from './recovery-notices.ts';
import { type History, startHistory } from './search/history.ts';
import type { StatsFields } from './state-machine/context/effects.ts';

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
 * Starts a broker on a folder. When it fails, nothing of it listens, answers or writes any more.
 * @throws FolderError or StartError when the folder cannot be used, with the fix
 * @throws FolderLockedError when another broker serves the folder
 * @throws LogDamagedError when the log is damaged where it may hold accepted jobs
 */
export async function startBroker(options: BrokerOptions): Promise<RunningBroker> {
  const folder = HeldFolder.take(options.dir, options.onNotice);
  try {
    const broker = new Broker(options, folder);
    await broker.open();
    return broker;
  } catch (error) {
    folder.release();
    throw folder.inWords(error);
  }
}

class Broker implements RunningBroker {
  readonly id: string = idToText(randomBytes(16));
  readonly closed: Promise<BrokerEnd>;
  readonly #options: ReturnType<typeof withDefaults>;
  readonly #folder: HeldFolder;
  readonly #startedAtMs = Date.now();
  readonly #resolveClosed: (end: BrokerEnd) => void;
  #phase: 'starting' | 'serving' | 'stopping' | 'failing' | 'down' = 'starting';
  #idleTimer: NodeJS.Timeout | undefined;
  readonly #notice = (text: string): void => this.#options.onNotice?.(text);
  readonly #access = new NoticeLimit(this.#notice);
  readonly #memory = new IdleMemory();
  #clock!: BrokerClock;
  #engine!: Engine;
  #pool!: IoPool;
  #history: History | null = null;
  readonly #searches: SearchAnswers = new SearchAnswers();
  /** Closes what was opened so far. */
  readonly #closers: (() => Promise<void>)[] = [];
  /** Why it cannot serve, found while it starts. */
  #startFailure: Error | null = null;
  #recovery!: RecoveryReport;

  constructor(options: BrokerOptions, folder: HeldFolder) {
    this.#options = { ...withDefaults(options), dir: folder.dir };
    this.#folder = folder;
    const { promise, resolve } = Promise.withResolvers<BrokerEnd>();
    this.closed = promise;
    this.#resolveClosed = resolve;
  }

  get addresses(): IoPool['addresses'] {
    const { dir, unix } = this.#options;
    return { ...this.#pool.addresses, unix: unix ? join(dir, 'broker.sock') : null };
  }

  get recovery(): RecoveryReport {
    return this.#recovery;
  }

  async open(): Promise<void> {
    const progress = new StartProgress(this.#folder, this.#notice);
    try {
      removeEndpoints(this.#folder, null);
      await this.#openEngine((recovered) => progress.recovered(recovered));
      this.#pool = await this.#listen();
      this.#closers.unshift(() => this.#pool.stop());
      // What failed meanwhile, say the log while the threads started, must not serve.
      if (this.#startFailure !== null) throw this.#startFailure;
      this.#writeWhere();
      this.#phase = 'serving';
    } catch (error) {
      this.#phase = 'down';
      this.#clearTimers();
      await this.#closeAll();
      throw error;
    } finally {
      progress.end();
    }
    this.#watchIdle();
  }

  #writeWhere(): void {
    writeEndpoints(this.#folder, {
      brokerId: this.id,
      pid: process.pid,
      startedAtMs: this.#startedAtMs,
      software: software(),
      folder: this.#folder.identity,
      ...this.addresses,
    });
  }

  #listen(): Promise<IoPool> {
    const { unix, tcp } = this.#options;
    const token = tcp === null ? null : readOrMakeToken(this.#folder, this.#notice);
    return startIoPool({
      unixPath: unix ? this.#folder.path('broker.sock') : null,
      tcp,
      guard: token === null ? null : { token, broker: this.id },
      threads: this.#options.ioThreads,
      onEvents: (events) => this.#onEvents(events),
      onTaken: () => this.#engine.reveal(),
      onNotice: this.#notice,
      onReachable: (isReachable) => this.#clock.reachable(isReachable),
      onThreadLost: (error) => this.#fail(error),
    });
  }

  async #openEngine(onRecovered: (recovered: Recovered) => void): Promise<void> {
    const { dir, segmentBytesMax, history } = this.#options;
    const core = coreOptions(this.#options, this.id);
    this.#clock = startClock(this.#folder, core.leaseMs, this.#notice);
    const { engine, report } = await Engine.open({
      core,
      dir: join(dir, 'log'),
      segmentBytesMax,
      disk: heldDisk(nodeDisk, this.#folder),
      clock: this.#clock,
      send: (messages) => this.#pool.send(messages),
      sinkOf: (connection) => this.#pool.sinkOf(connection),
      statsAnswer: (stats) => this.#statsAnswer(stats),
      onSearch: (effect) => void this.#search(effect),
      onAccess: (kind, text) => this.#access.add(kind, text),
      onShutdown: () => setImmediate(() => void this.stop()),
      onDurable: () => {
        this.#memory.touch();
        this.#history?.onDurable();
      },
      onDiskFull: (full) => this.#history?.pause(full),
      onNotice: this.#notice,
      onRecovered,
      onFailure: (error) => this.#fail(error),
    });
    this.#engine = engine;
    this.#closers.push(() => engine.close());
    this.#folder.keep('log');
    this.#recovery = report;
    for (const notice of recoveryNotices(report, engine.jobCount)) this.#notice(notice);
    if (!history) return;
    const started = startHistory({
      file: this.#folder.path('history.sqlite'),
      logId: engine.log.id,
      log: engine.log,
      onNotice: this.#notice,
    });
    // It stops first: it reads the log.
    this.#closers.unshift(() => started.close());
    if (engine.room.isFull) started.pause(true);
    this.#history = started;
  }

  #onEvents(events: readonly NetEvent[]): void {
    this.#memory.touch();
    if (this.#phase === 'serving') this.#engine.handle(events);
  }

  #statsAnswer({ connection, correlationId, queues, logLiveBytes }: StatsFields): Outgoing {
    const { log, room } = this.#engine;
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
      diskFreeBytes: room.freeBytes,
      diskFull: room.isFull,
      historyOffset: this.#history?.offset ?? 0,
      queues,
    };
    return { connection, correlationId, name: 'StatsOk', fields };
  }

  /** Search sees everything that was answered before it was asked. */
  async #search(effect: EffectOf<'search'>): Promise<void> {
    const upTo = this.#engine.log.durableOffset;
    this.#engine.hold(await this.#searches.answer(this.#history, effect, upTo));
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
      removeEndpoints(this.#folder, this.id);
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
  #fail(cause: Error): void {
    if (this.#phase === 'failing' || this.#phase === 'down') return;
    // Whatever failed because the folder is gone says less than that.
    const error = this.#folder.gone() ?? this.#folder.inWords(cause);
    // A failure of the system says enough; a broken assumption needs its place.
    const saysEnough = 'syscall' in error || error instanceof FolderGoneError;
    this.#notice(`stopping: ${saysEnough ? error.message : (error.stack ?? error.message)}`);
    if (this.#phase === 'starting') {
      this.#startFailure ??= error;
      return;
    }
    this.#clearTimers();
    this.#phase = 'failing';
    void this.#closeAll().then(() => this.#down({ reason: 'failed', error }));
  }

  /** The folder is free when nothing of this broker writes or listens: the next one may start then. */
  async #closeAll(): Promise<void> {
    // What else goes wrong says less than the reason of the failure.
    await Promise.allSettled(this.#closers.map((close) => close()));
  }

  #down(end: BrokerEnd): void {
    this.#phase = 'down';
    this.#folder.release();
    this.#resolveClosed(end);
  }

  #clearTimers(): void {
    clearInterval(this.#idleTimer);
    this.#memory.stop();
  }
}
