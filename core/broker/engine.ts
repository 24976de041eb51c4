/**
 * The broker without sockets, processes and clocks: core, log and outbox, joined. Whoever drives it
 * brings events and the time, and gets messages; the real broker and the simulator are two drivers.
 */

import { crc32 } from 'node:zlib';
import { Compactor } from './compactor.ts';
import { DueTimer } from './due-timer.ts';
import { asError, type EngineOptions } from './engine-options.ts';
import type { Now, Outgoing } from './events.ts';
import { type Log, LogDamagedError, type RecoveryReport, type Scheduler } from './log/contract.ts';
import { type Disk, nodeDisk } from './log/disk.ts';
import { openLog } from './log/open.ts';
import { restoreAdvice } from './log/scan.ts';
import { eventLoop } from './log/scheduler.ts';
import { spaceLimits } from './log/space.ts';
import { type Answer, LogReads } from './log-reads.ts';
import { Outbox, type Place } from './outbox.ts';
import type { CoreEvent, Effect, Fetch } from './queue/effects.ts';
import { QueueMachine } from './queue/machine.ts';
import { SegmentSummary } from './queue/summary.ts';
import { Room } from './room.ts';
import { Troubles } from './troubles.ts';

export class Engine {
  readonly #options: EngineOptions;
  readonly #scheduler: Scheduler;
  readonly #machine: QueueMachine;
  readonly #outbox: Outbox;
  #compactor: Compactor | null = null;
  readonly #reads: LogReads;
  /** What reads brought while effects were being carried out. */
  #news: CoreEvent[] = [];
  #log!: Log;
  #room!: Room;
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
    this.#outbox = new Outbox(options.send);
    const { clock, onNotice } = options;
    this.troubles = new Troubles(() => clock.now().monotonicMs, onNotice);
    const read = (offset: number) => this.#log.read(offset);
    this.#reads = new LogReads({ read, troubles: this.troubles, onNotice });
  }

  async #open(): Promise<RecoveryReport> {
    const { dir, disk = nodeDisk, clock } = this.#options;
    await disk.makeDir(dir);
    const limits = spaceLimits(await disk.space(dir), this.#options.segmentBytesMax);
    let opened: Log | null = null;
    // First: a start on a full disk may need what the ballast gives back.
    this.#room = await Room.open({
      ...this.#options,
      limits,
      disk,
      scheduler: this.#scheduler,
      troubles: this.troubles,
      unwrittenBytes: () => opened?.unwrittenBytes ?? 0,
      onPoll: () => this.#compactor?.look(this.#log),
      tell: (event) => this.#tellLater(event),
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
      readsDone: () => this.#reads.done(),
      readsFailed: () => this.#reads.failedCount,
      scheduler: this.#scheduler,
      troubles: this.troubles,
      onNotice: this.#options.onNotice,
      onFailure: (error) => this.fail(asError(error)),
    });
  }

  #recover(segmentBytesMax: number, disk: Disk): Promise<{ log: Log; report: RecoveryReport }> {
    const machine = this.#machine;
    return openLog(
      {
        ...this.#options,
        segmentBytesMax,
        disk,
        scheduler: this.#scheduler,
        summarize: () => new SegmentSummary(),
        onDurable: (offset) => this.#onDurable(offset),
        onFailure: (error) => this.fail(error),
        onTrouble: (what, reason) => this.#room.onTrouble(what, reason),
      },
      {
        begin: (restatedUpTo) => machine.beginReplay(restatedUpTo),
        record: (bytes, offset) => this.#replay(bytes, offset),
        progress: (segments, segmentsTotal) =>
          this.#options.onRecovered?.({ segments, segmentsTotal, jobs: machine.jobCount }),
      },
    );
  }

  /** @throws LogDamagedError when the records contradict each other, though their checksums hold */
  #replay(bytes: Uint8Array, offset: number): void {
    try {
      this.#machine.replay(bytes, offset);
    } catch (error) {
      const message = `${this.#options.dir}: record ${offset}: ${asError(error).message}. ${restoreAdvice}`;
      throw new LogDamagedError(this.#options.dir, 0, message);
    }
  }

  get room(): Pick<Room, 'isFull' | 'freeBytes'> {
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

  /** Handles what happened, in order. */
  handle(events: readonly CoreEvent[]): void {
    this.#room.reserve(events, this.#log);
    this.#run(events);
  }

  /** Lets a message leave when everything so far is durable; for answers that are made elsewhere. */
  hold(outgoing: Outgoing): void {
    this.#outbox.hold(this.#log.endOffset, outgoing);
    this.#reveal();
  }

  /** Takes nothing new, makes all durable, lets its answers leave, and closes the log cleanly. */
  async close(): Promise<void> {
    if (this.#phase === 'serving') this.#phase = 'closing';
    this.#timer.cancel();
    await this.#compactor?.stop();
    await this.#reads.done();
    await this.#room.close();
    await this.#log.close();
    this.#reveal();
  }

  /** Stops at once: nothing leaves any more, and the next start sorts it out. */
  fail(error: Error): void {
    if (this.#phase === 'failed') return;
    this.#phase = 'failed';
    this.#timer.cancel();
    void this.#compactor?.stop();
    this.#options.onFailure(error);
  }

  #run(events: readonly CoreEvent[]): void {
    const news = this.#news.splice(0);
    this.#carryOut(() => this.#machine.handle([...news, ...events], this.#now()));
  }

  /** It may be called amid an event: the core hears of it as soon as that is over. */
  #tellLater(event: CoreEvent): void {
    this.#news.push(event);
    void this.#scheduler.afterThisRound().then(() => this.#run([]));
  }

  /** Runs the core and carries out its effects. What it throws is a broken assumption: fail-stop. */
  #carryOut(step: () => Effect[]): void {
    if (this.#phase !== 'serving') return;
    try {
      for (const effect of step()) this.#perform(effect);
      while (this.#news.length > 0) {
        const news = this.#news;
        this.#news = [];
        const effects = this.#machine.handle(news, this.#now());
        for (const effect of effects) this.#perform(effect);
      }
      this.#reveal();
      this.#timer.set();
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
        this.#outbox.hold(this.#log.endOffset, effect.outgoing);
        break;
      case 'fetch':
        this.#fetch(effect.fetch);
        break;
      case 'stats':
        this.#outbox.hold(this.#log.endOffset, this.#options.statsAnswer(effect));
        break;
      case 'troubles':
        this.#outbox.hold(this.#log.endOffset, this.troubles.answer(effect));
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

  /** Reads records; what becomes of them takes the place in line that is kept from now. */
  #fetch(fetch: Fetch): void {
    const place = this.#outbox.reserve(this.#log.endOffset);
    const answer = this.#reads.resolve(fetch);
    if (answer instanceof Promise) this.#reads.track(this.#fillLater(place, answer));
    else this.#fill(place, answer);
  }

  async #fillLater(place: Place, answer: Promise<Answer>): Promise<void> {
    try {
      this.#fill(place, await answer);
    } catch (error) {
      this.fail(asError(error));
    }
    this.#carryOut(() => []);
  }

  #fill(place: Place, { messages, events }: Answer): void {
    place.messages = messages;
    this.#news.push(...events);
  }

  #onDurable(offset: number): void {
    this.#reveal();
    this.#options.onDurable(offset);
    if (this.#phase === 'serving') this.#compactor?.consider(this.#log);
  }

  #reveal(): void {
    if (this.#phase !== 'failed') this.#outbox.release(this.#log.durableOffset);
  }

  #now(): Now {
    return this.#options.clock.now();
  }
}
