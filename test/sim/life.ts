/** One life of the simulated broker, from its start to its end: the engine on a disk and a clock. */

import { createHash } from 'node:crypto';
import { BrokerClock, stepMsMaxOf } from '../../core/broker/broker-clock.ts';
import { Engine } from '../../core/broker/engine/engine.ts';
import type { NetEvent, Now, Outgoing } from '../../core/broker/events.ts';
import { FolderLostError, heldDisk } from '../../core/broker/folder/held-folder.ts';
import type { RecoveryReport } from '../../core/broker/log/contract.ts';
import { segmentName } from '../../core/broker/log/format/format.ts';
import { coreDefaults } from '../../core/broker/state-machine/context/core.ts';
import type { StatsFields } from '../../core/broker/state-machine/context/effects.ts';
import type { LogAtRest } from '../support/log/log-rest.ts';
import { idOf } from './catalog.ts';
import type { Reached } from './reach.ts';
import type { ProvenTail } from './simulated/lost-end.ts';
import { SimScheduler } from './simulated/sim-clock.ts';
import { SimDisk } from './simulated/sim-disk.ts';
import { listenTo } from './tap.ts';
import type { World } from './world.ts';

const logDir = '/broker/log';

/** States that only the broker's own messages tell of. */
const noticesReached: readonly (readonly [string, Reached])[] = [
  ['solved: records of the log', 'reads of the log worked again'],
  ['the next segment of the log cannot be created', 'next segment could not be made'],
  ['solved: the next segment', 'next segment made after all'],
  ['compaction waits', 'compaction waited for a read'],
];

function sha256() {
  return createHash('sha256');
}

export class Life {
  readonly disk: SimDisk;
  readonly scheduler: SimScheduler;
  /** `started` until somebody took notice of it. */
  phase: 'starting' | 'started' | 'serving' | 'stopping' | 'stopped' | 'failed' = 'starting';
  failure: Error | null = null;
  readonly #world: World;
  readonly #clock: BrokerClock;
  #engine: Engine | null = null;
  /** How much of the last segment a later commit proved. */
  proven: ProvenTail | null = null;
  #latest: ProvenTail | null = null;

  constructor(world: World) {
    this.#world = world;
    const { medium, swarm, dice, reach, clock } = world;
    if (world.clockLaw.begins(world.keptClock)) reach.reach('a start went on by what passed');
    this.#clock = new BrokerClock({
      source: clock.source,
      kept: world.keptClock,
      stepMsMax: stepMsMaxOf(swarm.leaseMs),
      onNotice: (text) => world.note(text),
    });
    world.keptClock = this.#clock.kept;
    this.disk = new SimDisk(medium, world.isCalm ? null : swarm.disk, dice, {
      reach: (name) => reach.reach(name),
      violation: (text) => world.violate(text),
    });
    this.scheduler = new SimScheduler(clock);
  }

  start(): void {
    const { oracle, clockLaw } = this.#world;
    listenTo({
      onStart: (offset, now, effects) => {
        if (offset < oracle.offset) {
          this.#world.reach.reach('power cut lost records that nobody was told of');
        }
        oracle.recovered(offset, this.#lawful(now));
        clockLaw.started(now, oracle.book.newestMs);
        oracle.decided([], this.#lawful(now), effects);
      },
      onDecided: (events, now, effects) => {
        for (const effect of effects) if (effect.type === 'append') this.#world.note(effect.record);
        clockLaw.looked(now);
        oracle.decided(events, this.#lawful(now), effects);
      },
    });
    Engine.open(this.#options()).then(
      ({ engine, report }) => this.#started(engine, report),
      (error: unknown) => this.#failed(error),
    );
  }

  /** Against clients counts only the time in which the broker ran, whatever it reckons. */
  #lawful(now: Now): Now {
    return { ...now, monotonicMs: this.#world.clock.ranMs };
  }

  /** It came up before whatever became of it. */
  get hasServed(): boolean {
    return this.#engine !== null;
  }

  handle(events: readonly NetEvent[]): void {
    if (this.phase === 'serving') this.#engine?.handle(events);
  }

  /** What of the log is needed, as the broker counts it. */
  logAtRest(): LogAtRest {
    const { log, compactor } = this.#engine ?? {};
    return {
      segmentBytes: (log?.segments ?? []).map(({ bytes }) => bytes),
      segmentBytesMax: this.#world.swarm.segmentBytesMax,
      liveBytes: compactor?.liveBytes ?? 0,
      isAtRest: compactor?.isRunning === false,
    };
  }

  /** Ends properly: everything durable, the log closed cleanly. */
  stop(): void {
    if (this.phase !== 'serving' || this.#engine === null) return;
    this.phase = 'stopping';
    this.#engine.close().then(
      () => this.#stopped(),
      (error: unknown) => this.#failed(error),
    );
  }

  /** The process is gone, whatever it was doing. */
  end(): void {
    this.phase = 'stopped';
    this.disk.kill();
    listenTo(null);
  }

  #started(engine: Engine, report: RecoveryReport): void {
    this.#engine = engine;
    const { reach } = this.#world;
    if (report.summaries > 0) reach.reach('restart from a summary');
    if (report.tornTail !== null) reach.reach('torn tail cut off');
    if (this.phase === 'starting') this.phase = 'started';
  }

  #stopped(): void {
    if (this.phase === 'stopping') this.phase = 'stopped';
  }

  #failed(error: unknown): void {
    if (this.phase === 'stopped') return;
    this.failure ??= error instanceof Error ? error : new Error(String(error));
    this.phase = 'failed';
  }

  /** What is told durable after a commit proves where the one before it ended. */
  #noteTail(): void {
    const tail = this.#engine?.log.segments.at(-1);
    this.proven = this.#latest;
    if (tail === undefined) return;
    this.#latest = { path: `${logDir}/${segmentName(tail.number)}`, bytes: tail.bytes };
  }

  #noticed(text: string): void {
    this.#world.note(text);
    for (const [start, name] of noticesReached) {
      if (text.startsWith(start)) this.#world.reach.reach(name);
    }
  }

  #folder(): Parameters<typeof heldDisk>[1] {
    const { medium } = this.#world;
    return {
      dir: logDir,
      root: logDir,
      check: () => {
        if (medium.isSwapped) throw new FolderLostError(`${logDir} was replaced`);
      },
      withUserPaths: (error) => error,
    };
  }

  #onDiskFull(full: boolean): void {
    this.#world.note(`full ${full}`);
    if (!full) this.#world.reach.reach('disk full: work resumed');
  }

  #options(): Parameters<typeof Engine.open>[0] {
    const { swarm } = this.#world;
    const { leaseMs, resumeMs, keepMs, keepJobs, segmentBytesMax, cacheBytesMax } = swarm;
    const { crashesMax, returnsMax, returnsMsMax } = swarm;
    const limits = { leaseMs, resumeMs, keepMs, keepJobs, crashesMax, returnsMax, returnsMsMax };
    return {
      core: { ...coreDefaults, ...limits, brokerId: idOf(1), software: 'sim', newHash: sha256 },
      dir: logDir,
      segmentBytesMax,
      cacheBytesMax,
      disk: heldDisk(this.disk, this.#folder()),
      scheduler: this.scheduler,
      clock: this.#clock,
      send: (messages) => this.#world.sent(messages),
      statsAnswer: (stats) => this.#statsAnswer(stats),
      onSearch: () => undefined,
      onShutdown: () => undefined,
      onAccess: () => undefined,
      onDurable: () => this.#noteTail(),
      onDiskFull: (full) => this.#onDiskFull(full),
      onNotice: (text) => this.#noticed(text),
      onFailure: (error) => this.#failed(error),
    };
  }

  #statsAnswer({ connection, correlationId, queues }: StatsFields): Outgoing {
    const fields: Outgoing<'StatsOk'>['fields'] = {
      pid: 1,
      startedAtMs: 0,
      connections: 0,
      sessions: 0,
      logBytes: 0,
      logLiveBytes: 0,
      logSegments: 0,
      durableOffset: 0,
      diskFreeBytes: 0,
      diskFull: false,
      historyOffset: 0,
      queues,
    };
    return { connection, correlationId, name: 'StatsOk', fields };
  }
}
