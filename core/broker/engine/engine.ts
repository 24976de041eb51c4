/**
 * The broker without sockets, processes and clocks: core, log and outbox, joined. Whoever drives it
 * brings events and the time, and gets messages; the real broker and the simulator are two drivers.
 */

import { crc32 } from 'node:zlib';
import type { NetEvent, Outgoing } from '../events.ts';
import type { Log, RecoveryReport, Scheduler } from '../log/contract.ts';
import { type Disk, nodeDisk } from '../log/disk.ts';
import { eventLoop } from '../log/scheduler.ts';
import { spaceLimits } from '../log/space.ts';
import type { CoreEvent, Effect } from '../state-machine/context/effects.ts';
import { QueueMachine } from '../state-machine/machine.ts';
import { Answers } from './answers.ts';
import { Compactor } from './compactor.ts';
import { DiskReserve } from './disk-reserve.ts';
import { DueTimer } from './due-timer.ts';
import { asError, type EngineOptions } from './engine-options.ts';
import { Troubles } from './problems.ts';
import { openInto } from './replay.ts';
import { RequestScheduler, sliceMs } from './request-scheduler.ts';

export class Engine {
  readonly #options: EngineOptions;
  readonly #scheduler: Scheduler;
  readonly #machine: QueueMachine;
  readonly #turns: RequestScheduler;
  readonly #answers: Answers;
  #compactor: Compactor | null = null;
  #turnIsDue = false;
  /** What the core is to hear first: of what left, what was read, and the disk. */
  readonly #news: CoreEvent[] = [];
  #log!: Log;
  #room!: DiskReserve;
  #phase: 'opening' | 'serving' | 'closing' | 'failed' = 'opening';
  readonly #timer: DueTimer;
  /** What it cannot do at the moment. */
  readonly troubles: Troubles;

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
    this.troubles = new Troubles(() => options.clock.now().monotonicMs, options.onNotice);
    this.#turns = new RequestScheduler({
      unsent: this.#machine.unsent,
      nowMs: () => options.clock.workMs,
      unwrittenBytes: () => this.#log.unwrittenBytes,
    });
    this.#answers = new Answers({
      ...options,
      troubles: this.troubles,
      unsent: this.#machine.unsent,
      turns: this.#turns,
      scheduler: this.#scheduler,
      read: (offset) => this.#log.read(offset),
    });
  }

  async #open(): Promise<RecoveryReport> {
    const { dir, disk = nodeDisk, clock } = this.#options;
    await disk.makeDir(dir);
    const limits = spaceLimits(await disk.space(dir), this.#options.segmentBytesMax);
    let opened: Log | null = null;
    // First: a start on a full disk may need what the ballast gives back.
    this.#room = await DiskReserve.open({
      ...this.#options,
      limits,
      disk,
      scheduler: this.#scheduler,
      troubles: this.troubles,
      unwrittenBytes: () => opened?.unwrittenBytes ?? 0,
      onPoll: () => this.#compactor?.look(this.#log),
      tell: (event) => this.#notifyLater(event),
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
      this.#room.tell();
      this.#run([]);
      return report;
    } catch (error) {
      this.#phase = 'failed';
      await this.#room.close();
      throw error;
    }
  }

  #newCompactor(segmentBytesMax: number): Compactor {
    return new Compactor({
      machine: this.#machine,
      lookBytes: segmentBytesMax / 16,
      isPressed: () => this.#room.isPressed,
      roomBytes: () => this.#room.spareBytes,
      run: (events) => this.#run(events),
      readsDone: () => this.#answers.readsDone(),
      readsFailed: () => this.#answers.failedReads,
      scheduler: this.#scheduler,
      troubles: this.troubles,
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
      onTrouble: (what, reason) => this.#room.onTrouble(what, reason),
    });
  }

  get room(): Pick<DiskReserve, 'isFull' | 'freeBytes'> {
    return this.#room;
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

  /** What a connection asks is handled in its order, and in turn with what others ask. */
  handle(events: readonly NetEvent[]): void {
    for (const event of events) {
      if (event.type === 'left') this.#news.push(event);
      else this.#turns.add(event);
    }
    if (!this.#turnIsDue) this.#takeTurn();
  }

  #takeTurn(): void {
    this.#turnIsDue = false;
    this.#carryOut(() => this.#machine.handle(this.#nextEvents(), this.#options.clock.now()));
  }

  *#nextEvents(): Generator<CoreEvent> {
    yield* this.#news.splice(0);
    for (const event of this.#turns.take()) {
      this.#room.reserve(event, this.#log);
      yield* this.#news.splice(0);
      yield event;
    }
  }

  /** Lets a message leave when everything so far is durable; for answers that are made elsewhere. */
  hold(outgoing: Outgoing): void {
    this.#answers.hold(this.#log.endOffset, outgoing);
    this.reveal();
  }

  /** Takes nothing new, makes all durable, lets its answers leave, and closes the log cleanly. */
  async close(): Promise<void> {
    if (this.#phase === 'serving') this.#phase = 'closing';
    this.#timer.cancel();
    await this.#compactor?.stop();
    await this.#answers.readsDone();
    await this.#room.close();
    await this.#log.close();
    if (this.#phase !== 'failed') this.#answers.releaseAll(this.#log.durableOffset);
  }

  /** Stops at once: nothing leaves any more, and the next start sorts it out. */
  fail(error: Error): void {
    if (this.#phase === 'failed') return;
    this.#phase = 'failed';
    this.#answers.stop();
    this.#timer.cancel();
    void this.#compactor?.stop();
    this.#options.onFailure(error);
  }

  #run(events: readonly CoreEvent[]): void {
    const news = this.#news.splice(0);
    this.#carryOut(() => this.#machine.handle([...news, ...events], this.#options.clock.now()));
  }

  /** It may be called amid an event: the core hears of it as soon as that is over. */
  #notifyLater(event: CoreEvent): void {
    this.#news.push(event);
    void this.#scheduler.afterThisRound().then(() => this.#run([]));
  }

  /** Runs the core and carries out its effects. What it throws is a broken assumption: fail-stop. */
  #carryOut(step: () => Effect[]): void {
    if (this.#phase !== 'serving') return;
    try {
      for (const effect of step()) this.#perform(effect);
      this.#turns.settle();
      const untilMs = this.#options.clock.workMs + sliceMs;
      while (this.#news.length > 0 && this.#options.clock.workMs <= untilMs) {
        const effects = this.#machine.handle(this.#news.splice(0), this.#options.clock.now());
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
        this.#room.spend(effect.record.length);
        this.#log.append(effect.record);
        break;
      case 'send':
        this.#answers.hold(this.#log.endOffset, effect.outgoing);
        break;
      case 'fetch':
        this.#hear(this.#answers.fetch(this.#log.endOffset, effect));
        break;
      case 'troubles':
        this.#answers.hold(this.#log.endOffset, this.troubles.answer(effect));
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

  #hear(news: CoreEvent[] | Promise<CoreEvent[]>): void {
    if (news instanceof Promise) this.#answers.track(this.#hearLater(news));
    else this.#news.push(...news);
  }

  async #hearLater(news: Promise<CoreEvent[]>): Promise<void> {
    try {
      this.#news.push(...(await news));
    } catch (error) {
      this.fail(asError(error));
    }
    this.#carryOut(() => []);
  }

  /** What did not fit this turn is for the next; others get theirs in between. */
  #takeTurnSoon(): void {
    if (this.#turnIsDue || !(this.#turns.hasMore || this.#news.length > 0)) return;
    this.#turnIsDue = true;
    void this.#scheduler.afterThisRound().then(() => this.#takeTurn());
  }

  #onDurable(offset: number): void {
    this.reveal();
    this.#options.onDurable(offset);
    if (this.#phase !== 'serving') return;
    this.#compactor?.consider(this.#log);
    this.#takeTurnSoon();
  }

  /** Lets answers leave whose reasons are durable: so much now, the rest in the next turns. */
  reveal(): void {
    if (this.#phase !== 'failed') this.#answers.release(this.#log.durableOffset);
  }
}
