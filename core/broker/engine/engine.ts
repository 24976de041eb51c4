/**
 * The broker without sockets, processes and clocks: state machine, log and outbox. Its caller passes
 * events and time in and gets messages out; the real broker and the simulator are the two callers.
 */

import { crc32 } from 'node:zlib';
import { asError } from '../../base/index.ts';
import type { NetEvent, Outgoing } from '../events.ts';
import type { Log, RecoveryReport, Scheduler } from '../log/contract.ts';
import { type Disk, nodeDisk } from '../log/disk/disk.ts';
import { spaceLimits } from '../log/disk/space.ts';
import { eventLoop } from '../log/scheduler.ts';
import type { CoreEvent, Effect } from '../state-machine/context/effects.ts';
import { QueueMachine } from '../state-machine/machine.ts';
import { Answers } from './answers.ts';
import { Compactor } from './compactor.ts';
import { DiskReserve } from './disk-reserve.ts';
import { DueTimer } from './due-timer.ts';
import type { EngineOptions } from './engine-options.ts';
import { Problems } from './problems.ts';
import { openInto } from './replay.ts';
import { RequestScheduler, sliceMs } from './request-scheduler.ts';

export class Engine {
  readonly #options: EngineOptions;
  readonly #scheduler: Scheduler;
  readonly #machine: QueueMachine;
  readonly #requests: RequestScheduler;
  readonly #answers: Answers;
  #compactor: Compactor | null = null;
  #isTurnDue = false;
  /** Events to be handled before any request: of sent bytes, finished reads and the disk. */
  readonly #pendingEvents: CoreEvent[] = [];
  #log!: Log;
  #reserve!: DiskReserve;
  #phase: 'opening' | 'serving' | 'closing' | 'failed' = 'opening';
  readonly #timer: DueTimer;
  /** Operations that fail at the moment. */
  readonly problems: Problems;

  /**
   * Recovers the log and begins a new epoch.
   * @throws LogDamagedError when the log is damaged where it may hold accepted jobs
   */
  static async open(options: EngineOptions): Promise<{ engine: Engine; report: RecoveryReport }> {
    const engine = new Engine(options);
    return { engine, report: await engine.#open() };
  }

  private constructor(options: EngineOptions) {
    this.#options = options;
    this.#scheduler = options.scheduler ?? eventLoop;
    this.#machine = new QueueMachine({ ...options.core, crc32 });
    this.#timer = new DueTimer({
      machine: this.#machine,
      clock: options.clock,
      scheduler: this.#scheduler,
      onDue: () => this.#run([]),
    });
    this.problems = new Problems(() => options.clock.now().monotonicMs, options.onNotice);
    this.#requests = new RequestScheduler({
      unsent: this.#machine.unsent,
      nowMs: () => options.clock.workMs,
      unwrittenBytes: () => this.#log.unwrittenBytes,
    });
    this.#answers = new Answers({
      ...options,
      problems: this.problems,
      unsent: this.#machine.unsent,
      requests: this.#requests,
      scheduler: this.#scheduler,
      read: (offset) => this.#log.read(offset),
    });
  }

  async #open(): Promise<RecoveryReport> {
    const { dir, disk = nodeDisk, clock } = this.#options;
    await disk.makeDir(dir);
    const limits = spaceLimits(await disk.space(dir), this.#options.segmentBytesMax);
    let opened: Log | null = null;
    // First: a start on a full disk may need the space of the ballast.
    this.#reserve = await DiskReserve.open({
      ...this.#options,
      limits,
      disk,
      scheduler: this.#scheduler,
      problems: this.problems,
      unwrittenBytes: () => opened?.unwrittenBytes ?? 0,
      onPoll: () => this.#compactor?.check(this.#log),
      notify: (event) => this.#notifyLater(event),
      onFailure: (error) => this.fail(error),
    });
    try {
      const { log, report } = await this.#recover(limits.segmentBytesMax, disk);
      opened = log;
      this.#log = log;
      this.#compactor = this.#newCompactor(limits.segmentBytesMax);
      this.#phase = 'serving';
      clock.startAfter(this.#machine.newestMs);
      this.#carryOut(() => this.#machine.start(clock.now(), log.endOffset));
      this.#reserve.notify();
      this.#run([]);
      return report;
    } catch (error) {
      this.#phase = 'failed';
      await this.#reserve.close();
      throw error;
    }
  }

  #newCompactor(segmentBytesMax: number): Compactor {
    return new Compactor({
      machine: this.#machine,
      checkBytes: segmentBytesMax / 16,
      isDiskFull: () => this.#reserve.isDiskFull,
      spareBytes: () => this.#reserve.spareBytes,
      run: (events) => this.#run(events),
      readsDone: () => this.#answers.readsDone(),
      readsFailed: () => this.#answers.failedReads,
      beforeDrop: async (offset) => await this.#options.beforeDrop?.(offset),
      scheduler: this.#scheduler,
      problems: this.problems,
      onNotice: this.#options.onNotice,
      onFailure: (error) => this.fail(asError(error)),
    });
  }

  #recover(segmentBytesMax: number, disk: Disk): Promise<{ log: Log; report: RecoveryReport }> {
    return openInto(this.#machine, {
      ...this.#options,
      segmentBytesMax,
      disk,
      scheduler: this.#scheduler,
      onDurable: (offset) => this.#onDurable(offset),
      onFailure: (error) => this.fail(error),
      onProblem: (what, reason) => this.#reserve.onProblem(what, reason),
    });
  }

  get reserve(): Pick<DiskReserve, 'isFull' | 'freeBytes'> {
    return this.#reserve;
  }

  get log(): Log {
    return this.#log;
  }

  get compactor(): Pick<Compactor, 'isRunning' | 'liveBytes'> | null {
    return this.#compactor;
  }

  get sessionCount(): number {
    return this.#machine.sessionCount;
  }

  get jobCount(): number {
    return this.#machine.jobCount;
  }

  /** Handles events in order per connection, and connections fairly. */
  handle(events: readonly NetEvent[]): void {
    for (const event of events) {
      if (event.type === 'left') this.#pendingEvents.push(event);
      else this.#requests.add(event);
    }
    if (!this.#isTurnDue) this.#takeTurn();
  }

  #takeTurn(): void {
    this.#isTurnDue = false;
    this.#carryOut(() => this.#machine.handle(this.#nextEvents(), this.#options.clock.now()));
  }

  *#nextEvents(): Generator<CoreEvent> {
    yield* this.#pendingEvents.splice(0);
    for (const event of this.#requests.take()) {
      this.#reserve.reserve(event, this.#log);
      yield* this.#pendingEvents.splice(0);
      yield event;
    }
  }

  /** Sends a message once everything appended so far is durable; for responses made elsewhere. */
  sendWhenDurable(outgoing: Outgoing): void {
    this.#answers.enqueue(this.#log.endOffset, outgoing);
    this.reveal();
  }

  /** Accepts nothing new, makes everything durable, sends the responses, and closes the log cleanly. */
  async close(): Promise<void> {
    if (this.#phase === 'serving') this.#phase = 'closing';
    this.#timer.cancel();
    await this.#compactor?.stop();
    await this.#answers.readsDone();
    await this.#reserve.close();
    await this.#log.close();
    if (this.#phase !== 'failed') this.#answers.sendAllDurable(this.#log.durableOffset);
  }

  /** Stops at once: nothing is sent any more, and the next start recovers. */
  fail(error: Error): void {
    if (this.#phase === 'failed') return;
    this.#phase = 'failed';
    this.#answers.stop();
    this.#timer.cancel();
    void this.#compactor?.stop();
    this.#options.onFailure(error);
  }

  #run(events: readonly CoreEvent[]): void {
    this.#pendingEvents.push(...events);
    const all = this.#pendingEvents.splice(0);
    this.#carryOut(() => this.#machine.handle(all, this.#options.clock.now()));
  }

  /** Queues an event; safe to call while another one is being handled. */
  #notifyLater(event: CoreEvent): void {
    this.#pendingEvents.push(event);
    void this.#scheduler.afterThisRound().then(() => this.#run([]));
  }

  /** Runs the state machine and performs its effects. An exception is a broken invariant: fail-stop. */
  #carryOut(step: () => Effect[]): void {
    if (this.#phase !== 'serving') return;
    try {
      for (const effect of step()) this.#perform(effect);
      this.#requests.endTurn();
      const untilMs = this.#options.clock.workMs + sliceMs;
      while (this.#pendingEvents.length > 0 && this.#options.clock.workMs <= untilMs) {
        const events = this.#pendingEvents.splice(0);
        const effects = this.#machine.handle(events, this.#options.clock.now());
        for (const effect of effects) this.#perform(effect);
      }
      this.reveal();
      this.#timer.set();
      this.#takeTurnSoon();
    } catch (error) {
      this.fail(asError(error));
    }
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'append':
        this.#reserve.charge(effect.record.length);
        this.#log.append(effect.record);
        break;
      case 'send':
        this.#answers.enqueue(this.#log.endOffset, effect.outgoing);
        break;
      case 'fetch':
        this.#enqueueEvents(this.#answers.fetch(this.#log.endOffset, effect));
        break;
      case 'problems':
        this.#answers.enqueue(this.#log.endOffset, this.problems.answer(effect));
        break;
      case 'search':
        this.#options.onSearch(effect);
        break;
      case 'shutdown':
        this.#options.onShutdown();
        break;
      case 'notice':
        this.#options.onAccess(effect.kind, effect.text);
        break;
    }
  }

  #enqueueEvents(events: CoreEvent[] | Promise<CoreEvent[]>): void {
    if (events instanceof Promise) this.#answers.track(this.#enqueueEventsLater(events));
    else this.#pendingEvents.push(...events);
  }

  async #enqueueEventsLater(events: Promise<CoreEvent[]>): Promise<void> {
    await events
      .then((all) => this.#pendingEvents.push(...all))
      .catch((error: unknown) => this.fail(asError(error)));
    this.#carryOut(() => []);
  }

  /** Schedules the next turn for what did not fit into this one, after other I/O. */
  #takeTurnSoon(): void {
    if (this.#isTurnDue || !(this.#requests.hasMore || this.#pendingEvents.length > 0)) return;
    this.#isTurnDue = true;
    void this.#scheduler.afterThisRound().then(() => this.#takeTurn());
  }

  #onDurable(offset: number): void {
    this.reveal();
    this.#options.onDurable(offset);
    if (this.#phase !== 'serving') return;
    this.#compactor?.consider(this.#log);
    this.#takeTurnSoon();
  }

  /** Sends responses whose records are durable: one part now, the rest in later turns. */
  reveal(): void {
    if (this.#phase !== 'failed') this.#answers.sendDurable(this.#log.durableOffset);
  }
}
