/** Rates in the broker: they hold over all consumers, calls wait in turn, and nothing of it is logged. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeRecord } from '../../../../../core/broker/state-machine/records/records.ts';
import type { Charge, LeaseToken, Message } from '../../../../../core/protocol/index.ts';
import { checkedJob, Driver, testOptions } from '../driver.ts';

const [one, two] = [1, 2];
const operator = 99;
const leaseMs = 3_600_000;
const noLimits = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null };
const granted = { reason: 'none' };

type Rates = NonNullable<Message<'Reserve'>['rates']>;
type Limits = Partial<Rates['agentLimits']>;

interface Call {
  readonly agent?: string;
  readonly model?: string;
  readonly agentLimits?: Limits;
  readonly providerLimits?: Limits;
  readonly tokens?: number;
  readonly boundMicros?: number | null;
}

/** A broker with consumers that hold leases of twenty jobs each, for longer than a test takes. */
class Rig {
  driver = new Driver([], { ...testOptions, leaseMs });
  #hold = 0;
  /** Of jobs that have asked for nothing yet. */
  readonly #tokens = new Map<number, LeaseToken[]>();

  constructor(consumers = [one, two]) {
    this.driver.open(operator);
    for (const [at, connection] of consumers.entries()) {
      this.driver.open(connection);
      const jobs = Array.from({ length: 20 }, (_, job) => checkedJob({ id: 100 * at + job + 1 }));
      this.driver.enqueue(operator, jobs);
      this.driver.subscribe(connection, 20);
      const tokens = this.driver.deliveries(connection).map(({ token }) => token);
      this.#tokens.set(connection, tokens);
    }
  }

  /** For the next of the consumer's jobs. */
  ask(connection: number, call: Call = {}): Asked {
    const { agent = 'a', model = 'm', tokens = 0, boundMicros = null } = call;
    const token = this.#tokens.get(connection)?.shift();
    if (token === undefined) throw new Error('no job is left');
    const rates: Rates = {
      provider: 'p',
      isLocal: false,
      agentLimits: { ...noLimits, ...call.agentLimits },
      providerLimits: { ...noLimits, ...call.providerLimits },
      inputTokens: tokens,
      outputTokens: 0,
    };
    const hold = ++this.#hold;
    const fields = { token, hold, agent, model, tags: [], boundMicros, rates };
    this.driver.sent = [];
    const answer = this.driver.request(connection, 'Reserve', fields);
    return { connection, token, hold, answer };
  }

  charge({ connection, token, hold }: Asked, said: Partial<Charge> = {}): void {
    const usage = { calls: 1, inputTokens: 1, outputTokens: 0, costMicros: 0, estimated: false };
    const call = { hold, end: 'settled', agent: 'a', model: 'm', usage } as const;
    const charge: Charge = { id: token.id, ...call, throttledMs: null, allowances: [], ...said };
    this.driver.sent = [];
    this.driver.request(connection, 'Charge', { charges: [charge] });
  }

  /** Connections of those that were let through since the last request. */
  get passed(): number[] {
    return this.driver.sent
      .filter(({ name }) => name === 'ReserveOk')
      .map(({ connection }) => connection);
  }

  wait(ms: number): void {
    this.driver.sent = [];
    this.driver.advance(ms);
  }
}

interface Asked {
  readonly connection: number;
  readonly token: LeaseToken;
  readonly hold: number;
  readonly answer: unknown;
}

describe('a limit', () => {
  test('of requests a minute holds for all consumers together, and time lets the next one through', () => {
    const rig = new Rig();
    const call = { agentLimits: { requestsPerMinute: 12 } };
    expect(rig.ask(one, call).answer).toMatchObject(granted);
    expect(rig.ask(two, call).answer).toMatchObject(granted);
    expect(rig.ask(one, call).answer).toBeUndefined();
    expect(rig.ask(two, call).answer).toBeUndefined();
    expect(rig.driver.machine.nextDueMs(rig.driver.now)).toBeLessThanOrEqual(5_000);
    rig.wait(4_999);
    expect(rig.passed).toEqual([]);
    rig.wait(1);
    expect(rig.passed).toEqual([one]);
    rig.wait(5_000);
    expect(rig.passed).toEqual([two]);
  });

  test('of tokens a minute is taken by what calls are expected to use, and set right by what they used', () => {
    const rig = new Rig();
    const call = { providerLimits: { tokensPerMinute: 600 }, tokens: 80 };
    const first = rig.ask(one, call);
    expect(rig.ask(two, call).answer).toBeUndefined();
    rig.charge(first);
    expect(rig.passed).toEqual([two]);
  });

  test('of calls in flight waits for one that ends, however it does', () => {
    const rig = new Rig();
    const call = { agentLimits: { concurrency: 1 } };
    const first = rig.ask(one, call);
    const second = rig.ask(two, call);
    expect([first.answer, second.answer]).toMatchObject([granted, undefined]);
    rig.charge(first, { end: 'unknown' });
    expect(rig.passed).toEqual([two]);
    expect(rig.ask(one, call).answer).toBeUndefined();
    rig.driver.sent = [];
    rig.driver.settle(two, second.token, 'ack');
    expect(rig.passed).toEqual([one]);
    expect(rig.ask(two, call).answer).toBeUndefined();
    rig.driver.sent = [];
    rig.driver.close(one);
    rig.driver.advance(200);
    expect(rig.passed).toEqual([two]);
  });

  test('is that of the newest call', () => {
    const rig = new Rig();
    rig.ask(one, { agentLimits: { concurrency: 1 } });
    expect(rig.ask(two, { agentLimits: { concurrency: 2 } }).answer).toMatchObject(granted);
  });
});

describe('calls that wait', () => {
  test('go in order: a small one does not pass a large one, and one of a free agent passes both', () => {
    const rig = new Rig();
    const call = { agentLimits: { tokensPerMinute: 600 } };
    rig.ask(one, { ...call, tokens: 50 });
    expect(rig.ask(two, { ...call, tokens: 90 }).answer).toBeUndefined();
    expect(rig.ask(one, { ...call, tokens: 10 }).answer).toBeUndefined();
    expect(rig.ask(two, { agent: 'b' }).answer).toMatchObject(granted);
    rig.wait(4_000);
    expect(rig.passed).toEqual([two]);
    rig.wait(1_000);
    expect(rig.passed).toEqual([one]);
  });

  test('of one agent stay in order, also where the first waits for its model alone', () => {
    const rig = new Rig();
    rig.charge(rig.ask(one, { agent: 'b' }), { end: 'unsent', throttledMs: 3_000 });
    expect(rig.ask(one).answer).toBeUndefined();
    expect(rig.ask(two, { model: 'other' }).answer).toBeUndefined();
    rig.wait(3_000);
    expect(rig.passed).toEqual([one, two]);
  });

  test('hold no money, and those that hold some are let through for both at once', () => {
    const rig = new Rig();
    const terms = { name: 'daily', amountMicros: 100, currency: 'USD', per: 'day' } as const;
    const budget = { ...terms, timeZone: 'UTC', agent: null, model: null, tag: null, batch: null };
    rig.driver.request(operator, 'SetBudgets', { mode: 'declare', budgets: [budget] });
    const call = { providerLimits: { concurrency: 1 }, boundMicros: 60 };
    const first = rig.ask(one, call);
    rig.ask(two, call);
    const held = () =>
      (rig.driver.request(operator, 'Budgets', {}) as Message<'BudgetsOk'>).budgets[0]?.heldMicros;
    expect(held()).toBe(60);
    rig.charge(first);
    expect([rig.passed, held()]).toEqual([[two], 60]);
  });

  test('are forgotten with their lease and their connection', () => {
    const rig = new Rig();
    const call = { providerLimits: { concurrency: 1 } };
    const first = rig.ask(one, call);
    const waiting = rig.ask(two, call);
    rig.ask(one, call);
    rig.driver.settle(two, waiting.token, 'returned');
    rig.charge(first);
    expect(rig.driver.sent.map(({ connection, name }) => [connection, name])).toEqual(
      expect.arrayContaining([
        [two, 'Error'],
        [one, 'ReserveOk'],
      ]),
    );
  });
});

test('no call waits for ever, and those of one agent start in the order in which they came', () => {
  const limits = fc.record({
    requestsPerMinute: fc.option(fc.integer({ min: 60, max: 600 })),
    tokensPerMinute: fc.option(fc.integer({ min: 6_000, max: 60_000 })),
    concurrency: fc.option(fc.integer({ min: 1, max: 4 })),
  });
  const calls = fc.array(
    fc.record({
      agent: fc.nat(2),
      model: fc.constantFrom('m', 'n'),
      tokens: fc.integer({ min: 1, max: 2_000 }),
      waitMs: fc.nat(300),
    }),
    { minLength: 1, maxLength: 20 },
  );
  const property = fc.property(
    calls,
    fc.tuple(limits, limits, limits),
    limits,
    (all, of, provider) => {
      const rig = new Rig(all.map((_, at) => at + 1));
      const started: number[] = [];
      const asked = all.map(({ agent, model, tokens, waitMs }, at) => {
        const terms = { agentLimits: of[agent] ?? {}, providerLimits: provider };
        const call = rig.ask(at + 1, { agent: `a${agent}`, model, tokens, ...terms });
        started.push(...rig.passed);
        rig.wait(waitMs);
        started.push(...rig.passed);
        return call;
      });
      // Each ends some time after it started; a call waits for a minute at most for what others took.
      for (let at = 0; at < all.length * 60; at++) {
        const ending = asked.find(({ connection }) => connection === started[at]);
        if (ending !== undefined) rig.charge(ending);
        started.push(...rig.passed);
        rig.wait(1_000);
        started.push(...rig.passed);
      }
      expect(started.toSorted((a, b) => a - b)).toEqual(all.map((_, at) => at + 1));
      for (const agent of [0, 1, 2]) {
        const own = started.filter((connection) => all[connection - 1]?.agent === agent);
        expect(own).toEqual(own.toSorted((a, b) => a - b));
      }
    },
  );
  fc.assert(property, { numRuns: 30 });
});

describe('a provider', () => {
  test('that throttles one consumer is left alone by all, for the time that it asked for', () => {
    const rig = new Rig();
    rig.charge(rig.ask(one), { end: 'unsent', throttledMs: 3_000 });
    expect(rig.ask(two).answer).toBeUndefined();
    expect(rig.ask(one, { agent: 'b', model: 'other' }).answer).toMatchObject(granted);
    rig.wait(3_000);
    expect(rig.passed).toEqual([two]);
  });

  test('gets at most twenty calls at first, and more once they were all answered', () => {
    const rig = new Rig();
    const asked = [one, two].flatMap((at) => Array.from({ length: 10 }, () => rig.ask(at)));
    expect(asked.filter(({ answer }) => answer !== undefined)).toHaveLength(20);
    expect(rig.ask(one).answer).toBeUndefined();
    for (const call of asked) rig.charge(call);
    const more = Array.from({ length: 10 }, () => rig.ask(two).answer);
    expect(more.every((answer) => answer !== undefined)).toBe(true);
  });

  test('says what its limits leave, and is kept to it', () => {
    const rig = new Rig();
    const said = { kind: 'requests', limit: 60, left: 0, fullInMs: 60_000 } as const;
    rig.charge(rig.ask(one), { allowances: [said] });
    expect(rig.ask(two).answer).toBeUndefined();
    rig.wait(1_000);
    expect(rig.passed).toEqual([two]);
  });
});

test('what calls asked is repeated with the same answer, and taken once', () => {
  const rig = new Rig();
  const { token, hold } = rig.ask(one, { agentLimits: { concurrency: 1 } });
  const call = { hold, agent: 'a', model: 'm', tags: [], boundMicros: null, rates: null };
  const again = (of: LeaseToken) => rig.driver.request(one, 'Reserve', { token: of, ...call });
  expect(again(token)).toMatchObject(granted);
});

test('nothing of rates is logged, and a restart forgets them', () => {
  const rig = new Rig();
  const records = rig.driver.log.length;
  const call = { agentLimits: { requestsPerMinute: 6 } };
  rig.charge(rig.ask(one, call));
  expect(rig.ask(two, call).answer).toBeUndefined();
  // What the call used is, once.
  expect(rig.driver.log.slice(records).map((bytes) => decodeRecord(bytes).kind)).toEqual([
    'charged',
  ]);
  rig.driver = rig.driver.restarted({ ...testOptions, leaseMs });
  rig.driver.open(two);
  expect(rig.ask(two, call).answer).toMatchObject(granted);
});
