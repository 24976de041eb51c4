/** Random traffic with everything that the core serves, for tests of what the log makes of it. */

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { CoreOptions } from '../../../../core/broker/state-machine/context/core.ts';
import {
  type BudgetTerms,
  type Charge,
  type LeaseToken,
  type Message,
  type Priority,
  priorities,
  type Settlement,
  type SettleOutcome,
  unknownCostMicros,
} from '../../../../core/protocol/index.ts';
import { bytesOf, checkedJob, Driver, idOf, testOptions } from './driver.ts';

export const trafficOptions: CoreOptions = { ...testOptions, keepMs: 3_000, keepJobs: 5 };

const producer = 9;
const consumers = [1, 2];
const queues = ['q', 'r'];
const keys = ['a', 'b'];
const agents = ['a', 'b'];
const outcomes = ['ack', 'ack', 'ack', 'retry', 'throttled', 'crashed', 'final'] as const;
const blobs = [1, 2, 3].map((seed) => new Uint8Array(100).fill(seed));

/** What is done often stands there often. */
const steps = [
  'enqueue',
  'enqueue',
  'enqueue',
  'batch',
  'settle',
  'settle',
  'settle',
  'settle',
  'blob',
  'journal',
  'journal',
  'reserve',
  'reserve',
  'charge',
  'budget',
  'openBatch',
  'resumeBatch',
  'vanish',
  'cancel',
  'retry',
  'pause',
  'purge',
  'signal',
  'retryDead',
  'limit',
  'advance',
  'advance',
  'day',
  'restart',
] as const;

export interface Step {
  readonly what: string;
  readonly id: number;
  readonly pick: number;
  readonly ms: number;
}

export const someSteps = (minLength: number, maxLength: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.record({
      what: fc.constantFrom(...steps),
      id: fc.integer({ min: 1, max: 12 }),
      pick: fc.nat(10_000),
      ms: fc.constantFrom(1, 60, 150, 1_100, 4_000),
    }),
    { minLength, maxLength, size: 'max' },
  );

export class Traffic {
  driver: Driver = new Driver([], trafficOptions);
  readonly #held: { token: LeaseToken; connection: number }[] = [];
  #next = 100;
  #hold = 0;
  readonly #actions: Readonly<Record<string, (step: Step) => void>> = {
    enqueue: (step) => this.driver.enqueue(producer, [this.#job(step)]),
    batch: (step) => {
      const { id, pick } = step;
      const jobs = [0, 1, 2].map((more) =>
        this.#job({ ...step, id: id + more, pick: pick + more }),
      );
      this.driver.enqueue(producer, jobs, pick % 2 === 0);
    },
    settle: (step) => this.#settle(step),
    blob: ({ pick }) => this.#putBlob(pick),
    journal: (step) => this.#journal(step),
    reserve: (step) => this.#reserve(step),
    charge: ({ pick }) => this.#ask('Charge', { charges: [this.#charge(pick)] }),
    budget: (step) => this.#budget(step),
    openBatch: ({ id, pick }) => {
      const stopRule = ['', '1', 'failures > 10%', 'never'][pick % 4] ?? '';
      this.#ask('OpenBatch', { name: pick % 3 === 0 ? '' : batchOf(id), stopRule });
    },
    resumeBatch: ({ id }) => this.#ask('ResumeBatch', { name: batchOf(id) }),
    vanish: ({ pick }) => {
      const connection = consumers[pick % 2] ?? 1;
      this.driver.close(connection);
      this.#connect(connection, this.#next++);
    },
    cancel: ({ id }) => this.#ask('Cancel', { ids: [idOf(id)] }),
    retry: ({ id }) => this.#ask('Retry', { ids: [idOf(id)] }),
    pause: ({ pick }) => this.#ask(pick % 3 === 0 ? 'Pause' : 'Unpause', { queue: queueOf(pick) }),
    purge: ({ pick }) => this.#ask('Purge', { queue: queueOf(pick) }),
    signal: ({ pick }) => this.#ask('Signal', { key: keys[pick % 2] ?? 'a' }),
    retryDead: ({ pick }) => {
      this.#ask('RetryDead', { queue: pick % 2 === 0 ? null : 'q', errorCode: null });
    },
    limit: ({ pick }) => {
      const settings = { jobsMax: pick % 3 === 0 ? 0 : 20, bytesMax: 0, keepMs: 0 };
      this.#ask('ConfigureQueue', { queue: queueOf(pick), ...settings, keepJobs: pick % 4 });
    },
    day: () => this.driver.advance(24 * 3_600_000),
    advance: ({ ms }) => this.driver.advance(ms),
    restart: () => {
      this.driver = this.driver.restarted(trafficOptions);
      this.#held.length = 0;
      this.open();
    },
  };

  constructor() {
    this.open();
  }

  /** A restart after which nobody takes jobs. */
  restartAlone(): void {
    this.driver = this.driver.restarted(trafficOptions);
    this.driver.open(producer);
  }

  open(): void {
    this.driver.open(producer);
    for (const connection of consumers) this.#connect(connection, this.#next++);
  }

  play(step: Step): void {
    this.#actions[step.what]?.(step);
    for (const connection of consumers) {
      for (const { token } of this.driver.deliveries(connection)) {
        this.#held.push({ token, connection });
      }
    }
    this.driver.sent = [];
  }

  /** What a client can see of all jobs, texts and history included. */
  seen(): unknown {
    const fields = { queue: null, state: null, before: 0, limit: 1_000 };
    const { jobs } = this.driver.request(producer, 'List', fields) as Message<'ListOk'>;
    const inspected = jobs.map(({ id }) =>
      this.driver.request(producer, 'Inspect', { idPrefix: id, withJob: true }),
    );
    const results = jobs.map(({ id }) => this.driver.request(producer, 'Result', { id }));
    const { batches } = this.driver.request(producer, 'Batches', {
      after: 0,
      limit: 100,
    }) as Message<'BatchesOk'>;
    return { jobs, inspected, results, ...this.money(), batches: sorted(batches) };
  }

  /** What a client can see of budgets and costs, in no order. */
  money(): { readonly budgets: unknown; readonly rows: unknown } {
    const days = { dayMin: 0, dayMax: 100_000, after: 0, limit: 1_000 };
    const { budgets } = this.driver.request(producer, 'Budgets', {}) as Message<'BudgetsOk'>;
    const { rows } = this.driver.request(producer, 'Costs', days) as Message<'CostsOk'>;
    return { budgets: sorted(budgets), rows: sorted(rows) };
  }

  #connect(connection: number, session: number): void {
    this.driver.open(connection, session);
    this.driver.subscribe(connection, 3, queues);
  }

  #ask<N extends Parameters<Driver['request']>[1]>(name: N, fields: Message<N>): void {
    this.driver.request(producer, name, fields);
  }

  #job({ id, pick, ms }: Step) {
    const names = Object.keys(priorities) as Priority[];
    const { wallMs } = this.driver.now;
    const blob = blobs[pick % 3] ?? new Uint8Array(1);
    return checkedJob({
      id,
      queue: queueOf(id),
      delayMs: pick % 5 === 0 ? ms : 0,
      attemptsMax: 1 + (pick % 3),
      body: 'b'.repeat(pick % 300),
      more: {
        priority: names[pick % names.length] ?? 'normal',
        tags: ['t'],
        ...(pick % 2 === 0 ? { batch: batchOf(id) } : {}),
        ...(pick % 7 === 0 ? { expiresAtMs: wallMs + ms } : {}),
        ...(pick % 11 === 0 ? { parkKey: keys[pick % 2] ?? 'a' } : {}),
        ...(pick % 4 === 0 ? { body: new Uint8Array(0), bodyRef: refOf(blob) } : {}),
      },
    });
  }

  #settle(step: Step): void {
    const { pick, ms } = step;
    const [lease] = this.#held.splice(pick % Math.max(1, this.#held.length), 1);
    if (lease === undefined) return;
    const outcome: SettleOutcome = outcomes[pick % outcomes.length] ?? 'ack';
    const usage = { calls: pick % 2, inputTokens: pick, outputTokens: 1, costMicros: pick };
    const { code } = this.driver.settle(lease.connection, lease.token, outcome, {
      delayMs: pick % 3 === 0 ? ms : 0,
      errorMessage: outcome === 'ack' ? '' : 'm'.repeat(pick % 200),
      note: 'n'.repeat(pick % 50),
      usage: { ...usage, estimated: pick % 9 === 0 },
      ...(outcome === 'ack' ? this.#withAck(step) : {}),
      park: (outcome === 'retry' || outcome === 'throttled') && pick % 5 === 0 ? 'a' : null,
    });
    if (code !== 0) this.#held.push(lease);
  }

  #withAck({ id, pick, ms }: Step): Partial<Settlement> {
    const blob = pick % 2 === 0 ? refOf(blobs[pick % 3] ?? new Uint8Array(1)) : null;
    const inline = blob === null ? new Uint8Array(pick % 90) : null;
    return {
      result: pick % 5 > 0 ? { inline, blob } : null,
      enqueue: pick % 3 === 0 ? [bytesOf(this.#job({ id: id + 6, pick, what: '', ms }))] : [],
    };
  }

  #putBlob(pick: number): void {
    const chunk = blobs[pick % 3] ?? new Uint8Array(1);
    const half = chunk.length / 2;
    const fields = refOf(chunk);
    this.#ask('BlobPut', { ...fields, offset: 0, chunk: chunk.subarray(0, half) });
    if (pick % 4 === 0) return;
    this.#ask('BlobPut', { ...fields, offset: half, chunk: chunk.subarray(half) });
  }

  #journal({ id, pick }: Step): void {
    const lease = this.#held[pick % Math.max(1, this.#held.length)];
    if (lease === undefined) return;
    const isBlob = pick % 3 === 0;
    const value = {
      inline: isBlob ? null : new Uint8Array(pick % 200),
      blob: isBlob ? refOf(blobs[pick % 3] ?? new Uint8Array(1)) : null,
    };
    const callHash = new Uint8Array(32).fill(id % 4);
    this.driver.request(lease.connection, 'JournalPut', {
      token: lease.token,
      callHash,
      value,
      charge: pick % 2 === 0 ? null : this.#charge(pick),
    });
  }

  #reserve({ id, pick }: Step): void {
    const lease = this.#held[pick % Math.max(1, this.#held.length)];
    if (lease === undefined) return;
    this.#hold += 1;
    this.driver.request(lease.connection, 'Reserve', {
      token: lease.token,
      hold: pick % 20 === 0 ? 1 : this.#hold,
      agent: agents[id % 2] ?? 'a',
      model: 'm',
      tags: ['t'],
      boundMicros: pick % 10 === 0 ? Number.MAX_SAFE_INTEGER : pick % 400,
      rates: pick % 3 === 0 ? ratesOf(pick) : null,
    });
  }

  /** Of one of the last calls, or of one that held nothing. */
  #charge(pick: number): Charge {
    const hold = pick % 5 === 0 ? 0 : Math.max(1, this.#hold - (pick % 6));
    const ends = ['settled', 'settled', 'unknown', 'unsent'] as const;
    const usage = { calls: 1, inputTokens: pick % 7, outputTokens: 1, estimated: pick % 8 === 0 };
    return {
      id: idOf(1),
      hold,
      end: ends[pick % ends.length] ?? 'settled',
      agent: 'a',
      model: 'm',
      usage: { ...usage, costMicros: pick % 3 === 0 ? unknownCostMicros : pick % 450 },
      throttledMs: pick % 9 === 0 ? pick % 1_000 : null,
      allowances: [],
    };
  }

  #settleUnknown(name: string, micros: number): void {
    const { budgets } = this.driver.request(producer, 'Budgets', {}) as Message<'BudgetsOk'>;
    const known = budgets.find(({ terms }) => terms.name === name);
    this.#ask('SettleBudget', { name, micros, unknownMicros: known?.unknownMicros ?? 0 });
  }

  #budget({ id, pick }: Step): void {
    const periods = ['all', 'day', 'week', 'month', 'job'] as const;
    const per = periods[id % periods.length] ?? 'all';
    const terms: BudgetTerms = {
      name: per,
      amountMicros: 500 + (pick % 2_000),
      currency: 'USD',
      per,
      timeZone: pick % 2 === 0 ? 'UTC' : 'Asia/Kathmandu',
      agent: pick % 3 === 0 ? 'a' : null,
      model: null,
      tag: pick % 4 === 0 ? 't' : null,
      batch: pick % 8 === 0 ? 'b' : null,
    };
    const name = terms.name;
    if (pick % 9 === 0) this.#ask('RemoveBudgets', { names: [name] });
    else if (pick % 7 === 0) this.#settleUnknown(name, pick % 300);
    else if (pick % 5 === 0) this.#ask('RaiseBudget', { name, amountMicros: pick });
    else this.#ask('SetBudgets', { mode: pick % 2 === 0 ? 'set' : 'declare', budgets: [terms] });
  }
}

function sorted(rows: readonly unknown[]): string[] {
  return rows.map((row) => JSON.stringify(row)).toSorted();
}

function refOf(content: Uint8Array) {
  const sha256 = Uint8Array.from(createHash('sha256').update(content).digest());
  return { sha256, totalBytes: content.length };
}

function batchOf(number: number): string {
  return number % 3 === 0 ? 'b' : '1';
}

function queueOf(number: number): string {
  return queues[number % 2] ?? 'q';
}

/** Some that soon have no room, and some that always have. */
function ratesOf(pick: number): NonNullable<Message<'Reserve'>['rates']> {
  const none = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null };
  return {
    provider: `p${pick % 2}`,
    isLocal: pick % 4 === 0,
    agentLimits: { ...none, tokensPerMinute: 1 + (pick % 5_000) },
    providerLimits: { ...none, requestsPerMinute: 1 + (pick % 90), concurrency: 1 + (pick % 3) },
    inputTokens: pick % 50,
    outputTokens: pick % 20,
  };
}
