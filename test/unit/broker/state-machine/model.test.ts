/**
 * Random histories of commands, held step by step against the reference: after each command every
 * job must be exactly what the simple book of `test/oracle` says, every decision must be lawful, and
 * every answer must be kept. fast-check shortens a history that fails.
 */

import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import type { CoreOptions } from '../../../../core/broker/state-machine/context/core.ts';
import {
  type LeaseToken,
  type Message,
  type Priority,
  priorities,
  type SettleOutcome,
} from '../../../../core/protocol/index.ts';
import { Oracle } from '../../../oracle/oracle.ts';
import { listenTo } from '../../../sim/tap.ts';
import { checkedJob, Driver, idOf, testOptions } from './driver.ts';

const runs = 150;
const producer = 9;
const consumers = [1, 2, 3];
const queues = ['q', 'r'];
const keys = ['a', 'b'];
const options: CoreOptions = { ...testOptions, keepMs: 4_000, keepJobs: 6, returnsMax: 4 };

/** Commands: what is done, and numbers that choose what with. */
const commands = [
  'enqueue',
  'enqueue',
  'enqueue',
  'batch',
  'settle',
  'settle',
  'settle',
  'late',
  'extend',
  'vanish',
  'goodbye',
  'reconnect',
  'resume',
  'cancel',
  'retry',
  'pause',
  'unpause',
  'purge',
  'signal',
  'retryDead',
  'limit',
  'advance',
  'advance',
  'jump',
  'restart',
] as const;

const outcomes: readonly SettleOutcome[] = [
  'ack',
  'retry',
  'throttled',
  'returned',
  'crashed',
  'final',
];

interface Command {
  readonly do: (typeof commands)[number];
  readonly id: number;
  readonly pick: number;
  readonly ms: number;
}

const histories: fc.Arbitrary<Command[]> = fc.array(
  fc.record({
    do: fc.constantFrom(...commands),
    id: fc.integer({ min: 1, max: 25 }),
    pick: fc.nat(10_000),
    ms: fc.constantFrom(1, 60, 150, 1_100, 5_000),
  }),
  { minLength: 20, maxLength: 100, size: 'max' },
);

function consumerOf(pick: number): number {
  return consumers[pick % consumers.length] ?? 1;
}

function queueOf(pick: number): string {
  return queues[pick % queues.length] ?? 'q';
}

class Model {
  readonly oracle = new Oracle(options);
  driver: Driver;
  readonly #sessions = new Map(consumers.map((consumer) => [consumer, consumer]));
  readonly #held: { token: LeaseToken; connection: number }[] = [];
  readonly #past: { token: LeaseToken; connection: number; outcome: SettleOutcome }[] = [];
  #nextSession = 100;

  constructor() {
    listenTo({
      onStart: (offset, now, effects) => {
        this.oracle.recovered(offset, now);
        this.oracle.decided([], now, effects);
      },
      onDecided: (events, now, effects) => this.oracle.decided(events, now, effects),
    });
    this.driver = new Driver([], options);
    this.#connect();
  }

  play(command: Command): void {
    this.#do(command);
    this.#hear();
    this.check();
  }

  /** Every job is what the book says. */
  check(): void {
    // What is due happens first: the answer is made before the tick of its own event.
    this.driver.advance(0);
    const before = this.driver.sent.length;
    const fields = { queue: null, state: null, before: 0, limit: 1_000 };
    const { jobs } = this.driver.request(producer, 'List', fields) as Message<'ListOk'>;
    this.oracle.compare(jobs);
    this.driver.sent.length = before;
    expect(this.oracle.violations).toEqual([]);
  }

  /** Whatever is not at its end can still be worked off. */
  drain(): void {
    for (const queue of queues) this.driver.request(producer, 'Unpause', { queue });
    for (const key of keys) this.driver.request(producer, 'Signal', { key });
    for (const consumer of consumers) this.driver.close(consumer);
    const last = 50;
    this.driver.open(last);
    this.driver.subscribe(last, 100, queues);
    for (let round = 0; round < 20; round++) {
      this.driver.advance(1_100);
      for (const { token } of this.driver.deliveries(last)) this.driver.settle(last, token);
    }
    this.check();
    const open = [...this.oracle.book.jobs.values()].filter(
      ({ state }) => state !== 'done' && state !== 'dead' && state !== 'cancelled',
    );
    expect(open).toEqual([]);
  }

  #do(command: Command): void {
    this.#actions[command.do](command);
  }

  readonly #actions: Readonly<Record<Command['do'], (command: Command) => void>> = {
    enqueue: (command) => this.driver.enqueue(producer, [this.#job(command)]),
    batch: (command) => {
      const { id, pick } = command;
      const jobs = [this.#job(command), this.#job({ ...command, id: id + 3, pick: pick + 1 })];
      this.driver.enqueue(producer, jobs, pick % 3 > 0);
    },
    settle: (command) => this.#settle(command),
    late: ({ pick }) => this.#settleLate(pick),
    extend: ({ pick }) => {
      const connection = consumerOf(pick);
      this.driver.request(connection, 'Extend', { tokens: this.#tokensOf(connection) });
    },
    vanish: ({ pick }) => {
      this.driver.close(consumerOf(pick));
      this.#open(consumerOf(pick), this.#nextSession++);
    },
    goodbye: ({ pick }) => {
      this.driver.request(consumerOf(pick), 'Goodbye', {});
      this.driver.close(consumerOf(pick));
      this.#open(consumerOf(pick), this.#nextSession++);
    },
    reconnect: ({ pick }) => {
      const connection = consumerOf(pick);
      this.driver.close(connection);
      this.#open(connection, this.#sessions.get(connection) ?? connection);
    },
    resume: ({ pick }) => {
      const connection = consumerOf(pick);
      const tokens = this.#tokensOf(connection).filter((_, index) => index % 2 === 0);
      this.driver.request(connection, 'Resume', { tokens });
    },
    cancel: ({ id }) => this.driver.request(producer, 'Cancel', { ids: [idOf(id)] }),
    retry: ({ id }) => this.driver.request(producer, 'Retry', { ids: [idOf(id)] }),
    pause: ({ pick }) => this.driver.request(producer, 'Pause', { queue: queueOf(pick) }),
    unpause: ({ pick }) => this.driver.request(producer, 'Unpause', { queue: queueOf(pick) }),
    purge: ({ pick }) => this.driver.request(producer, 'Purge', { queue: queueOf(pick) }),
    signal: ({ pick }) => this.driver.request(producer, 'Signal', { key: keys[pick % 2] ?? 'a' }),
    retryDead: ({ pick }) =>
      this.driver.request(producer, 'RetryDead', { queue: queueOf(pick), errorCode: null }),
    limit: ({ pick }) => {
      const jobsMax = pick % 3 === 0 ? 0 : 1 + (pick % 12);
      const fields = { queue: queueOf(pick), jobsMax, bytesMax: 0, keepMs: 0, keepJobs: pick % 4 };
      this.driver.request(producer, 'ConfigureQueue', fields);
    },
    advance: ({ ms }) => this.driver.advance(ms),
    jump: ({ pick, ms }) => {
      this.driver.now.aheadMs += pick % 2 === 0 ? ms : -ms;
    },
    restart: () => {
      this.driver = this.driver.restarted(options);
      this.#connect();
    },
  };

  #job({ id, pick, ms }: Command) {
    const names = Object.keys(priorities) as Priority[];
    const { systemMs } = this.driver.now;
    return checkedJob({
      id,
      queue: queues[id % 2] ?? 'q',
      digest: pick % 20 === 0 ? 8 : 7,
      delayMs: pick % 5 === 0 ? ms : 0,
      attemptsMax: 1 + (pick % 3),
      more: {
        priority: names[pick % names.length] ?? 'normal',
        ...(pick % 7 === 0 ? { expiresAtMs: systemMs + ms } : {}),
        ...(pick % 11 === 0 ? { parkKey: keys[pick % 2] ?? 'a' } : {}),
        ...(pick % 13 === 0 ? { runAtMs: systemMs + ms } : {}),
      },
    });
  }

  #settle({ id, pick, ms }: Command): void {
    const lease = this.#held[pick % Math.max(1, this.#held.length)];
    if (lease === undefined) return;
    const outcome = pick % 3 === 0 ? 'ack' : (outcomes[pick % outcomes.length] ?? 'ack');
    const follow = checkedJob({ id: id + 40, queue: 'q' });
    const withMore = outcome === 'ack' && pick % 4 === 0;
    this.driver.settle(lease.connection, lease.token, outcome, {
      delayMs: outcome !== 'ack' && pick % 2 === 0 ? ms : 0,
      enqueue: withMore && follow.ok ? [follow.bytes] : [],
      result: withMore ? { inline: new Uint8Array([pick % 256]), blob: null } : null,
      park: outcome === 'retry' && pick % 5 === 0 ? 'a' : null,
    });
    this.#held.splice(this.#held.indexOf(lease), 1);
    this.#past.push({ ...lease, outcome });
  }

  #settleLate(pick: number): void {
    const lease = this.#past[pick % Math.max(1, this.#past.length)];
    if (lease === undefined) return;
    const outcome = pick % 2 === 0 ? lease.outcome : 'retry';
    this.driver.settle(lease.connection, lease.token, outcome);
  }

  #tokensOf(connection: number): LeaseToken[] {
    return this.#held.filter((held) => held.connection === connection).map(({ token }) => token);
  }

  #connect(): void {
    this.driver.open(producer);
    for (const [connection, session] of this.#sessions) this.#open(connection, session);
  }

  #open(connection: number, session: number): void {
    this.#sessions.set(connection, session);
    this.driver.open(connection, session);
    this.driver.subscribe(connection, 3, queues);
  }

  #hear(): void {
    const { sent } = this.driver;
    this.driver.sent = [];
    for (const message of sent) {
      this.oracle.revealed(message as Parameters<Oracle['revealed']>[0]);
      if (message.name !== 'Deliver') continue;
      const { connection } = message;
      for (const { token } of (message.fields as Message<'Deliver'>).items) {
        this.#held.push({ token, connection });
      }
    }
  }
}

afterEach(() => listenTo(null));

test(`no history of commands makes the core differ from the reference (${runs} histories)`, () => {
  fc.assert(
    fc.property(histories, (history) => {
      const model = new Model();
      for (const command of history) model.play(command);
      model.drain();
    }),
    { numRuns: runs },
  );
});
