/**
 * The broker: locks the folder, recovers the log, listens, and publishes its endpoints; then passes
 * events of the I/O threads to the engine and its messages back.
 */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { asError } from '../base/index.ts';
import { idToText } from '../protocol/index.ts';
import type { BrokerClock } from './broker-clock.ts';
import { Engine } from './engine/engine.ts';
import type { EffectOf } from './engine/engine-options.ts';
import { SearchAnswers } from './engine/search-answers.ts';
import { SummaryThread } from './engine/summaries/summary-maker.ts';
import type { NetEvent, Outgoing } from './events.ts';
import { startClock } from './folder/clock-file.ts';
import { readOrMakeToken, removeEndpoints, writeEndpoints } from './folder/folder.ts';
import { FolderLostError, HeldFolder, heldDisk } from './folder/held-folder.ts';
import { type Recovered, StartProgress } from './folder/start-progress.ts';
import { IdleMemory } from './idle-memory.ts';
import { watchIdle } from './idle-watch.ts';
import type { RecoveryReport } from './log/contract.ts';
import { nodeDisk } from './log/disk/disk.ts';
import { type IoPool, startIoPool } from './net/pool/io-pool.ts';
import { NoticeLimit } from './notice-limit.ts';
import { type BrokerOptions, coreOptions, software, withDefaults } from './options.ts';
import { recoveryNotices } from './recovery-notices.ts';
import { type History, startHistory } from './search/history.ts';
import type { StatsFields } from './state-machine/context/effects.ts';

/** Why a broker ended. `failed`: it stopped itself after an error, to keep its guarantees. */
export type BrokerEnd =
  | { readonly reason: 'stopped' | 'idle' }
  | { readonly reason: 'failed'; readonly error: Error };

export interface RunningBroker {
  readonly id: string;
  readonly addresses: IoPool['addresses'];
  readonly recovery: RecoveryReport;
  /** Resolves when the broker has ended for any reason. */
  readonly closed: Promise<BrokerEnd>;
  /** Sends durable responses, closes the log cleanly, releases the folder. */
  stop(): Promise<void>;
}

/**
 * Starts a broker on a folder. When that fails, nothing of it listens or writes any more.
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
    throw folder.withUserPaths(error);
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
  readonly #summaries: SummaryThread;
  /** Closes what was opened so far. */
  readonly #closers: (() => Promise<unknown>)[] = [];
  /** An error during the start. */
  #startFailure: Error | null = null;
  #recovery!: RecoveryReport;

  constructor(options: BrokerOptions, folder: HeldFolder) {
    this.#options = { ...withDefaults(options), dir: folder.dir };
    this.#folder = folder;
    this.#summaries = new SummaryThread(folder.path('log'));
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
      // A failure meanwhile, such as of the log while the threads started, ends the start.
      if (this.#startFailure !== null) throw this.#startFailure;
      this.#publishEndpoints();
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

  #publishEndpoints(): void {
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
      onDrained: () => this.#engine.reveal(),
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
      makeSummary: (segment) => this.#summaries.make(segment),
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
      beforeDrop: async (offset) => await this.#history?.reach(offset),
      onNotice: this.#notice,
      onRecovered,
      onFailure: (error) => this.#fail(error),
    });
    this.#engine = engine;
    this.#closers.push(() => Promise.all([engine.close(), this.#summaries.stop()]));
    this.#folder.keep('log');
    this.#recovery = report;
    for (const notice of recoveryNotices(report, engine.jobCount)) this.#notice(notice);
    if (!history) return;
    const started = startHistory({
      file: this.#folder.path('history.sqlite'),
      log: engine.log,
      logDir: this.#folder.path('log'),
      onNotice: this.#notice,
    });
    // Closed first, as it reads the log.
    this.#closers.unshift(() => started.close());
    if (engine.reserve.isFull) started.pause(true);
    this.#history = started;
  }

  #onEvents(events: readonly NetEvent[]): void {
    this.#memory.touch();
    if (this.#phase === 'serving') this.#engine.handle(events);
  }

  #statsAnswer({ connection, correlationId, queues, logLiveBytes }: StatsFields): Outgoing {
    const { log, reserve } = this.#engine;
    const fields: Outgoing<'StatsOk'>['fields'] = {
      pid: process.pid,
      startedAtMs: this.#startedAtMs,
      connections: this.#pool.connections,
      sessions: this.#engine.sessionCount,
      logBytes: log.bytes,
      // The state machine's count is an upper bound.
      logLiveBytes: Math.min(logLiveBytes, log.bytes),
      logSegments: log.segments.length,
      durableOffset: log.durableOffset,
      diskFreeBytes: reserve.freeBytes,
      diskFull: reserve.isFull,
      historyOffset: this.#history?.offset ?? 0,
      queues,
    };
    return { connection, correlationId, name: 'StatsOk', fields };
  }

  /** A search includes everything that was acknowledged before it. */
  async #search(effect: EffectOf<'search'>): Promise<void> {
    const upTo = this.#engine.log.durableOffset;
    this.#engine.sendWhenDurable(await this.#searches.answer(this.#history, effect, upTo));
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

  /** Stops listening, makes the last group durable, sends its responses, and releases everything. */
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
      await Promise.all([this.#engine.close(), this.#summaries.stop()]);
      await this.#pool.stop();
      this.#finish(end);
    } catch (error) {
      this.#fail(asError(error));
      await this.closed;
    }
  }

  /** Ends after an error: queued messages are never sent, and the next start recovers. */
  #fail(cause: Error): void {
    if (this.#phase === 'failing' || this.#phase === 'down') return;
    // A lost folder is the better explanation.
    const error = this.#folder.lossError() ?? this.#folder.withUserPaths(cause);
    // Errors of the system are clear without a stack; broken invariants are not.
    const isClear = 'syscall' in error || error instanceof FolderLostError;
    this.#notice(`stopping: ${isClear ? error.message : (error.stack ?? error.message)}`);
    if (this.#phase === 'starting') {
      this.#startFailure ??= error;
      return;
    }
    this.#clearTimers();
    this.#phase = 'failing';
    void this.#closeAll().then(() => this.#finish({ reason: 'failed', error }));
  }

  /** Closes everything, so that the folder can be released for the next broker. */
  async #closeAll(): Promise<void> {
    // Further errors explain less than the first.
    await Promise.allSettled(this.#closers.map((close) => close()));
  }

  #finish(end: BrokerEnd): void {
    this.#phase = 'down';
    this.#folder.release();
    this.#resolveClosed(end);
  }

  #clearTimers(): void {
    clearInterval(this.#idleTimer);
    this.#memory.stop();
  }
}
