/**
 * One simulation: a broker's real core, log and recovery on a fake disk, clients on a fake network,
 * one virtual clock, and dice that decide what happens next. The same seed gives the same history.
 */

import { createHash } from 'node:crypto';
import type { KeptClock } from '../../core/broker/broker-clock.ts';
import type { NetEvent, Outgoing } from '../../core/broker/events.ts';
import { LogDamagedError } from '../../core/broker/log/contract.ts';
import type { JobInfo, Message } from '../../core/protocol/index.ts';
import { Oracle } from '../oracle/oracle.ts';
import { Consumer } from './actors/consumer.ts';
import { Operator } from './actors/operator.ts';
import { Probe } from './actors/probe.ts';
import { Producer } from './actors/producer.ts';
import { Catalog, idOf } from './catalog.ts';
import { ClockLaw } from './clock-law.ts';
import { Dice } from './dice.ts';
import { Faults } from './faults.ts';
import { Life } from './life.ts';
import { ReachCounters, type Reached } from './reach.ts';
import { reachOfRecord, reachOfSettle } from './record-reach.ts';
import { Medium } from './simulated/medium.ts';
import { SimClock } from './simulated/sim-clock.ts';
import { SimNet, type Wire } from './simulated/sim-net.ts';
import type { Actor, Stage } from './stage.ts';
import { type Swarm, swarmOf } from './swarm.ts';
import { turn } from './turn.ts';

export interface SimResult {
  readonly seed: number;
  readonly steps: number;
  readonly digest: string;
  readonly violations: readonly string[];
  readonly reached: ReadonlyMap<string, number>;
  readonly restarts: number;
  readonly faults: number;
  readonly accepted: number;
  readonly acked: number;
}

/** Steps within which all jobs must come to their end when nothing goes wrong any more. */
const calmStepsMax = 60_000;
type Happening = 'disk' | 'round' | 'timer' | 'net' | 'hear' | 'act' | 'wait' | 'fault';

const monthMs = 30 * 86_400_000;
const firstFreeId = 10_000_000;

export class World implements Stage {
  readonly dice: Dice;
  readonly swarm: Swarm;
  readonly clock = new SimClock();
  readonly clockLaw = new ClockLaw(this.clock, (text) => this.violate(text));
  readonly net: SimNet;
  readonly medium = new Medium();
  readonly catalog: Catalog;
  readonly reach = new ReachCounters();
  readonly bills = new Map<number, number>();
  readonly oracle: Oracle;
  isCalm = false;
  life: Life | null = null;
  /** What the broker's file holds; null when the machine started anew since. */
  keptClock: KeptClock | null = null;
  restarts = 0;
  readonly #seed: number;
  readonly #faults: Faults;
  readonly #actors: Actor[];
  readonly #hash = createHash('sha256');
  #ids = firstFreeId;
  #steps = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.dice = new Dice(seed);
    this.swarm = swarmOf(this.dice);
    this.catalog = new Catalog(this.dice, this.swarm, () => this.clock.wallMs);
    this.oracle = new Oracle(this.swarm);
    const reach = (name: Reached): void => this.reach.reach(name);
    const { dice, clock, swarm } = this;
    this.net = new SimNet({ dice, clock, slowShare: swarm.slowShare, reach });
    this.net.onLeft = (left) => this.life?.handle([left]);
    const { book, rules } = this.oracle;
    this.oracle.onRecord = (record) => reachOfRecord(record, { book, rules, reach });
    this.oracle.onSettle = (item, job) => reachOfSettle(item, job, reach);
    this.#faults = new Faults(this);
    this.#actors = [
      ...Array.from({ length: this.swarm.producers }, () => new Producer(this)),
      ...Array.from({ length: this.swarm.consumers }, () => new Consumer(this)),
      new Operator(this),
    ];
  }

  get isServing(): boolean {
    return this.life?.phase === 'serving';
  }

  get isReadable(): boolean {
    return !this.#faults.hasRot;
  }

  get rots(): number {
    return this.#faults.rots;
  }

  newId(): string {
    return idOf(this.#ids++);
  }

  violate(text: string): void {
    this.oracle.promises.violate(text);
  }

  /** Belongs to what this history is: two runs of a seed differ in nothing that is noted. */
  note(what: string | Uint8Array): void {
    this.#hash.update(what);
  }

  /** Plays the whole history: faults, then calm, then a last restart. */
  async run(steps: number): Promise<SimResult> {
    while (this.#steps < steps && this.oracle.violations.length === 0) await this.#step();
    if (this.oracle.violations.length === 0) await this.#calmDown();
    if (this.oracle.violations.length === 0) await this.#restartCleanly();
    this.life?.end();
    const { promises } = this.oracle;
    return {
      seed: this.#seed,
      steps: this.#steps,
      digest: this.#hash.digest('hex').slice(0, 32),
      violations: [...this.oracle.violations],
      reached: this.reach.counts,
      restarts: this.restarts,
      faults: this.#faults.count,
      accepted: promises.acceptedCount,
      acked: promises.ackedCount,
    };
  }

  async #step(): Promise<void> {
    this.#steps++;
    this.clock.advance(this.dice.below(4));
    if (this.life === null) await this.#boot();
    const { life } = this;
    const wires = [...this.net.wires.values()];
    const chosen = this.dice.weighted(this.#weights(wires.length > 0));
    if (chosen !== null) await this.#happenings[chosen](wires);
    if (life !== null) await this.#checkLife(life);
    if (this.#steps % 25 === 0) this.#checkBills();
  }

  /** What the broker knows of a budget covers the bill at every moment, and is never above its amount. */
  #checkBills(): void {
    const problem = this.oracle.book.money.problemOf(this.bills);
    if (problem !== null) this.violate(problem);
  }

  /** How likely each thing is to happen next. */
  #weights(hasWires: boolean): Record<Happening, number> {
    const { life } = this;
    return {
      disk: life?.disk.pendingCount === 0 ? 0 : 8,
      round: life?.scheduler.hasRound === true ? 8 : 0,
      timer: 3,
      net: hasWires && this.isServing ? 8 : 0,
      hear: hasWires ? 6 : 0,
      act: 8,
      wait: 0.3,
      fault: this.isCalm ? 0 : 1,
    };
  }

  readonly #happenings: Readonly<
    Record<Happening, (wires: readonly Wire[]) => Promise<void> | void>
  > = {
    disk: () => {
      this.life?.disk.completeOne();
      return turn();
    },
    round: () => {
      this.life?.scheduler.endRound();
      return turn();
    },
    timer: () => (this.life?.scheduler.fireDue() === true ? turn() : undefined),
    net: (wires) => this.#toBroker(wires),
    hear: (wires) => this.#toClients(wires),
    act: () => this.dice.pick(this.#actors).act(),
    wait: () => this.#wait(),
    fault: () => this.#faults.step(),
  };

  /** Several messages arrive in one turn of the broker's loop, from some of the connections. */
  async #toBroker(wires: readonly Wire[]): Promise<void> {
    const events: NetEvent[] = [];
    const { monotonicMs } = this.clock;
    for (let count = this.dice.between(1, 6); count > 0; count--) {
      const wire = this.dice.pick(wires);
      if (wire.stalledUntilMs > monotonicMs || wire.brokerSide === 'closed') continue;
      const event = this.net.takeForBroker(wire);
      if (event !== undefined) events.push(event);
    }
    if (events.length === 0 || this.life === null) return;
    this.life.handle(events);
    await turn();
  }

  #toClients(wires: readonly Wire[]): void {
    for (let count = this.dice.between(1, 4); count > 0; count--) {
      const wire = this.dice.pick(wires);
      if (wire.stalledUntilMs <= this.clock.monotonicMs) this.net.deliverToClient(wire);
    }
  }

  /** Time passes, and the broker looks at it whenever it wants to. */
  async #wait(): Promise<void> {
    const mostMs = this.isCalm ? 100 : this.dice.chance(0.3) ? 2_000 : 300;
    const untilMs = this.clock.monotonicMs + this.dice.below(mostMs);
    while (this.clock.monotonicMs < untilMs) {
      const nextAtMs = this.life?.scheduler.nextAtMs ?? untilMs;
      const toNextMs = Math.min(nextAtMs, untilMs) - this.clock.monotonicMs;
      this.clock.advance(Math.max(1, Math.ceil(toNextMs)));
      if (this.life?.scheduler.fireDue() === true) await turn();
    }
  }

  async #boot(): Promise<void> {
    this.restarts++;
    this.life = new Life(this);
    this.life.start();
    await turn();
  }

  /** A broker that came up is asked for everything it knows; one that went down is buried. */
  async #checkLife(life: Life): Promise<void> {
    if (life !== this.life) return;
    if (life.phase === 'started') {
      this.#faults.started();
      life.phase = 'serving';
      await new Probe(this, life).compare();
    }
    if (life.phase === 'failed') this.#bury(life);
    if (life.phase === 'stopped') {
      this.reach.reach('broker stopped and started cleanly');
      this.endLife();
    }
  }

  #bury(life: Life): void {
    const { failure } = life;
    if (failure instanceof LogDamagedError) this.#faults.damaged(failure);
    else if (!this.#faults.explains(life)) {
      this.violate(`the broker failed: ${failure?.stack ?? 'without a reason'}`);
    }
    this.endLife();
  }

  /** The process is gone; its connections with it. */
  endLife(): void {
    this.life?.end();
    this.life = null;
    this.medium.isSwapped = false;
    this.net.brokerGone();
  }

  /** A message left the broker. */
  sent(messages: readonly Outgoing[]): void {
    for (const message of messages) {
      this.note(`${message.connection}${message.name}${message.correlationId}`);
      this.oracle.revealed(message);
      this.net.send(message);
    }
  }

  compared(infos: readonly JobInfo[], stats: Message<'StatsOk'> | null): void {
    this.oracle.compare(infos, this.isReadable);
    this.#checkBills();
    for (const { queue, paused, jobsMax, bytesMax, keepMs, keepJobs } of stats?.queues ?? []) {
      const told = JSON.stringify({ paused, jobsMax, bytesMax, keepMs, keepJobs });
      const expected = JSON.stringify(this.oracle.book.queue(queue));
      if (told !== expected) this.violate(`queue ${queue} restarted as ${told}, not ${expected}`);
    }
    this.note(JSON.stringify(infos.map(({ id, state, deliveries }) => [id, state, deliveries])));
  }

  /** Faults are over: every job comes to an end, or somebody forgot it. */
  async #calmDown(): Promise<void> {
    this.isCalm = true;
    this.#faults.stop();
    const until = this.#steps + calmStepsMax;
    while (this.oracle.violations.length === 0) {
      for (let count = 0; count < 50; count++) await this.#step();
      const open = this.#openJobs();
      if (this.isServing && open.length === 0) return;
      // A time of day may be far away for who sent it before the clock was set back.
      if (open.every(({ state }) => state === 'delayed')) this.clock.sleep(monthMs);
      if (this.#steps >= until) break;
    }
    const [first] = this.#openJobs();
    if (first !== undefined) {
      this.violate(`job ${first.id} is still ${first.state} after ${calmStepsMax} quiet steps`);
    } else if (!this.isServing) this.violate('the broker does not come up after the faults');
  }

  #openJobs() {
    const over = ['done', 'dead', 'cancelled'];
    return [...this.oracle.book.jobs.values()].filter(({ state }) => !over.includes(state));
  }

  /** Closes the log properly, starts again and compares everything once more. */
  async #restartCleanly(): Promise<void> {
    const { life } = this;
    if (life === null) return;
    life.stop();
    for (let steps = 0; steps < 5_000 && life.phase !== 'failed' && life.phase !== 'stopped'; ) {
      steps++;
      this.clock.advance(1);
      if (life.disk.pendingCount > 0) life.disk.completeOne();
      else if (life.scheduler.hasRound) life.scheduler.endRound();
      else life.scheduler.fireDue();
      await turn();
    }
    if (life.phase !== 'stopped') this.violate(`the broker does not stop: it is ${life.phase}`);
    this.endLife();
    await this.#boot();
    for (let steps = 0; steps < 5_000 && !this.isServing; steps++) {
      const booted = this.life;
      if (booted === null) break;
      if (booted.disk.pendingCount > 0) booted.disk.completeOne();
      else if (booted.scheduler.hasRound) booted.scheduler.endRound();
      await turn();
      await this.#checkLife(booted);
    }
    if (!this.isServing) this.violate('the broker does not come up after a clean stop');
  }
}

/** Plays one seed. An error that nobody waits for would end a real broker without a word. */
export async function simulate(seed: number, steps: number): Promise<SimResult> {
  const world = new World(seed);
  const onUnhandled = (error: unknown): void => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    world.violate(`an error reached nobody: ${text}`);
  };
  process.on('unhandledRejection', onUnhandled);
  try {
    return await world.run(steps);
  } finally {
    process.off('unhandledRejection', onUnhandled);
  }
}
