/** Budgets in the broker: what may start, waits or parks, and what vanished consumers leave behind. */

import { describe, expect, test } from 'vitest';
import {
  type BudgetTerms,
  type Charge,
  errorCodes,
  type LeaseToken,
  type Message,
  unknownCostMicros,
} from '../../../../../core/protocol/index.ts';
import { checkedJob, Driver, idOf } from '../driver.ts';

const consumer = 1;
const operator = 2;
const dayMs = 86_400_000;

const daily: BudgetTerms = {
  name: 'daily',
  amountMicros: 100,
  currency: 'USD',
  per: 'day',
  timeZone: 'UTC',
  agent: null,
  model: null,
  tag: null,
  batch: null,
};

/** A broker with a consumer that holds leases of so many jobs. */
class Rig {
  driver = new Driver();
  readonly tokens = new Map<number, LeaseToken>();

  constructor(jobs: number, budgets: readonly BudgetTerms[] = [daily]) {
    this.driver.open(consumer);
    this.driver.open(operator);
    this.set(budgets);
    this.driver.enqueue(
      operator,
      Array.from({ length: jobs }, (_, index) => checkedJob({ id: index + 1 })),
    );
    this.take(jobs);
  }

  take(credit = 100): number[] {
    this.driver.subscribe(consumer, credit);
    return this.delivered();
  }

  /** The jobs that were delivered since it was last asked, in order. */
  delivered(): number[] {
    return this.driver.deliveries(consumer).map(({ token }) => {
      const job = Array.from({ length: 100 }, (_, index) => index).find(
        (number) => idOf(number) === token.id,
      );
      this.tokens.set(job ?? 0, token);
      return job ?? 0;
    });
  }

  set(budgets: readonly BudgetTerms[], mode: 'declare' | 'set' = 'declare'): unknown {
    return this.driver.request(operator, 'SetBudgets', { mode, budgets: [...budgets] });
  }

  token(job: number): LeaseToken {
    const token = this.tokens.get(job);
    if (token === undefined) throw new Error(`job ${job} was not delivered`);
    return token;
  }

  /** Undefined while the call waits. */
  reserve(job: number, hold: number, boundMicros: number, model = 'm'): unknown {
    const call = { hold, agent: 'agent', model, tags: [], boundMicros, rates: null };
    return this.driver.request(consumer, 'Reserve', { token: this.token(job), ...call });
  }

  charge(hold: number, end: Charge['end'], costMicros = 0): unknown {
    return this.driver.request(consumer, 'Charge', { charges: [chargeOf(hold, end, costMicros)] });
  }

  park(job: number): string {
    const park = 'budget:daily';
    return this.driver.settle(consumer, this.token(job), 'returned', { park }).state;
  }

  get budget(): Message<'BudgetsOk'>['budgets'][number] | undefined {
    const answer = this.driver.request(operator, 'Budgets', {}) as Message<'BudgetsOk'>;
    return answer.budgets[0];
  }

  get costs(): Message<'CostsOk'>['rows'] {
    const fields = { dayMin: 0, dayMax: 99_999, after: 0, limit: 100 };
    return (this.driver.request(operator, 'Costs', fields) as Message<'CostsOk'>).rows;
  }

  raise(amountMicros: number): unknown {
    return this.driver.request(operator, 'RaiseBudget', { name: 'daily', amountMicros });
  }

  settleUnknown(micros: number, unknownMicros: number): unknown {
    const fields = { name: 'daily', micros, unknownMicros };
    return this.driver.request(operator, 'SettleBudget', fields);
  }
}

function chargeOf(hold: number, end: Charge['end'], costMicros: number): Charge {
  const usage = { calls: 1, inputTokens: 3, outputTokens: 2, costMicros, estimated: false };
  const call = { hold, end, agent: 'agent', model: 'm', usage };
  return { id: idOf(1), ...call, throttledMs: null, allowances: [] };
}

const granted = { reason: 'none', budget: '', leftMicros: 0, opensAtMs: 0 };

describe('a call', () => {
  test('holds its bound, and its charge takes the place of it', () => {
    const rig = new Rig(1);
    expect(rig.reserve(1, 11, 60)).toEqual(granted);
    expect(rig.budget).toMatchObject({ heldMicros: 60, settledMicros: 0, unknownMicros: 0 });
    rig.charge(11, 'settled', 25);
    expect(rig.budget).toMatchObject({ heldMicros: 0, settledMicros: 25, unknownMicros: 0 });
    expect(rig.costs).toMatchObject([{ agent: 'agent', model: 'm', calls: 1, settledMicros: 25 }]);
  });

  test('is reserved once, and charged once, however often that is said', () => {
    const rig = new Rig(2);
    expect([rig.reserve(1, 11, 60), rig.reserve(1, 11, 60)]).toEqual([granted, granted]);
    expect(rig.budget?.heldMicros).toBe(60);
    expect(rig.reserve(2, 11, 1)).toMatchObject({ code: errorCodes.BAD_REQUEST.number });
    const charges = [chargeOf(11, 'settled', 25), chargeOf(11, 'settled', 25)];
    rig.driver.request(consumer, 'Charge', { charges });
    rig.charge(11, 'settled', 25);
    expect(rig.budget).toMatchObject({ heldMicros: 0, settledMicros: 25 });
    expect(rig.costs).toMatchObject([{ calls: 1, settledMicros: 25 }]);
  });

  test('needs the lease of its job', () => {
    const rig = new Rig(1);
    rig.driver.settle(consumer, rig.token(1), 'ack');
    expect(rig.reserve(1, 11, 1)).toMatchObject({ code: errorCodes.STALE_LEASE.number });
  });

  test('that fits when others cost less waits for them, in turn', () => {
    const rig = new Rig(3);
    rig.reserve(1, 11, 80);
    expect(rig.reserve(2, 12, 50)).toBeUndefined();
    // It would fit, and comes behind the one that waits.
    expect(rig.reserve(3, 13, 20)).toBeUndefined();
    rig.driver.sent = [];
    rig.charge(11, 'settled', 10);
    const answers = rig.driver.sent.filter(({ name }) => name === 'ReserveOk');
    expect(answers.map(({ fields }) => fields)).toEqual([granted, granted]);
    expect(rig.budget).toMatchObject({ settledMicros: 10, heldMicros: 70 });
  });

  test('that waits is answered when it cannot fit any more, and forgotten with its connection', () => {
    const rig = new Rig(3);
    rig.reserve(1, 11, 80);
    rig.reserve(2, 12, 50);
    rig.driver.sent = [];
    rig.charge(11, 'settled', 80);
    expect(rig.driver.sent.find(({ name }) => name === 'ReserveOk')?.fields).toMatchObject({
      reason: 'amount',
      budget: 'daily',
      leftMicros: 20,
      opensAtMs: dayMs,
    });
    rig.reserve(3, 13, 20);
    rig.driver.close(consumer);
    rig.driver.advance(200);
    expect(rig.budget).toMatchObject({ heldMicros: 0, unknownMicros: 20 });
  });

  test('without a bound starts where no budget concerns it, and nowhere else', () => {
    const rig = new Rig(1, [{ ...daily, agent: 'other' }]);
    expect(rig.reserve(1, 11, Number.MAX_SAFE_INTEGER)).toEqual(granted);
    rig.charge(11, 'settled', 7);
    expect(rig.costs).toMatchObject([{ settledMicros: 7 }]);
    rig.set([daily], 'set');
    expect(rig.reserve(1, 12, Number.MAX_SAFE_INTEGER)).toMatchObject({ reason: 'amount' });
  });

  test('of a model that was billed above its bound starts again after a raise', () => {
    const rig = new Rig(1);
    rig.reserve(1, 11, 10);
    rig.charge(11, 'settled', 12);
    expect(rig.budget?.overBound).toEqual(['m']);
    expect(rig.reserve(1, 12, 1)).toMatchObject({ reason: 'over_bound' });
    expect(rig.reserve(1, 13, 1, 'other')).toEqual(granted);
    rig.raise(200);
    expect(rig.reserve(1, 14, 1)).toEqual(granted);
  });

  test('is charged with the journal entry of its answer, in one record', () => {
    const rig = new Rig(1);
    rig.reserve(1, 11, 60);
    const before = rig.driver.log.length;
    const value = { inline: new Uint8Array([1]), blob: null };
    const put = (hold: number) =>
      rig.driver.request(consumer, 'JournalPut', {
        token: rig.token(1),
        callHash: new Uint8Array(32),
        value,
        charge: chargeOf(hold, 'settled', 20),
      });
    put(11);
    expect(rig.driver.log).toHaveLength(before + 1);
    put(11);
    expect(rig.budget).toMatchObject({ settledMicros: 20, heldMicros: 0 });
    // Another attempt bought the same answer: that was paid, too.
    rig.reserve(1, 12, 60);
    put(12);
    expect(rig.budget).toMatchObject({ settledMicros: 40, heldMicros: 0 });
  });

  test('without a reservation counts for the day alone, and one without a price is told apart', () => {
    const rig = new Rig(1);
    rig.charge(0, 'settled', 5);
    rig.charge(0, 'settled', unknownCostMicros);
    rig.charge(0, 'unsent', 9);
    expect(rig.budget).toMatchObject({ settledMicros: 0 });
    expect(rig.costs).toMatchObject([{ calls: 2, settledMicros: 5, unpricedCalls: 1 }]);
  });
});

describe('a lost lease', () => {
  test('leaves what its call held as unknown, until a late charge says what it cost', () => {
    const rig = new Rig(2);
    rig.reserve(1, 11, 90);
    rig.driver.advance(1_100);
    expect(rig.budget).toMatchObject({ heldMicros: 0, unknownMicros: 90 });
    expect(rig.delivered()).toEqual([1, 2]);
    expect(rig.reserve(2, 12, 20)).toMatchObject({ reason: 'amount', leftMicros: 10 });
    expect(rig.park(2)).toBe('parked');
    expect(rig.budget?.parked).toBe(1);
    rig.charge(11, 'settled', 30);
    expect(rig.budget).toMatchObject({ unknownMicros: 0, settledMicros: 30, parked: 0 });
    expect(rig.delivered()).toEqual([2]);
  });

  test.each(['ack', 'retry', 'returned', 'final', 'crashed'] as const)(
    'is one that ends with %s before its call was charged',
    (outcome) => {
      const rig = new Rig(1);
      rig.reserve(1, 11, 90);
      rig.driver.settle(consumer, rig.token(1), outcome);
      expect(rig.budget).toMatchObject({ heldMicros: 0, unknownMicros: 90 });
    },
  );

  test('is one whose job was cancelled, and whose broker died', () => {
    const rig = new Rig(2);
    rig.reserve(1, 11, 40);
    rig.driver.request(operator, 'Cancel', { ids: [idOf(1)] });
    expect(rig.budget).toMatchObject({ heldMicros: 0, unknownMicros: 40 });
    rig.reserve(2, 12, 40);
    rig.driver = rig.driver.restarted();
    rig.driver.open(operator);
    // The consumer may come back for its lease.
    expect(rig.budget).toMatchObject({ heldMicros: 40, unknownMicros: 40 });
    rig.driver.advance(5_000);
    expect(rig.budget).toMatchObject({ heldMicros: 0, unknownMicros: 80 });
  });

  test('is settled by what a person found out, each call by its bound, nothing lost', () => {
    const rig = new Rig(3);
    for (const job of [1, 2, 3]) rig.reserve(job, 10 + job, 30);
    rig.driver.advance(1_100);
    expect(rig.settleUnknown(50, 60)).toMatchObject({ code: errorCodes.BAD_STATE.number });
    expect(rig.settleUnknown(50, 90)).toEqual({});
    expect(rig.budget).toMatchObject({ settledMicros: 50, unknownMicros: 0 });
    expect(rig.costs).toMatchObject([{ settledMicros: 50, unknownMicros: 0, unknownCalls: 0 }]);
    expect(rig.settleUnknown(1, 0)).toMatchObject({ code: errorCodes.BAD_STATE.number });
  });
});

describe('a parked job', () => {
  /** Three jobs that wait for a budget that is used up. */
  function parked(): Rig {
    const rig = new Rig(4);
    rig.reserve(4, 14, 100);
    rig.charge(14, 'settled', 100);
    for (const job of [2, 3, 1]) {
      expect(rig.reserve(job, 10 + job, 1)).toMatchObject({ reason: 'amount' });
      expect(rig.park(job)).toBe('parked');
    }
    return rig;
  }

  test('runs on in order after a raise, and its returns are not counted', () => {
    const rig = parked();
    rig.raise(200);
    expect(rig.delivered()).toEqual([2, 3, 1]);
    expect(rig.driver.infoOf(2)).toMatchObject({ returns: 0, attempts: 0, state: 'leased' });
  });

  test.each(['a raise', 'a removal', 'a restart'])(
    'is none where %s came between the refusal and its end: no one would wake it',
    (what) => {
      const rig = new Rig(2);
      rig.reserve(2, 12, 100);
      rig.charge(12, 'settled', 100);
      expect(rig.reserve(1, 11, 1)).toMatchObject({ reason: 'amount' });
      if (what === 'a raise') rig.raise(200);
      else if (what === 'a removal') {
        rig.driver.request(operator, 'RemoveBudgets', { names: ['daily'] });
      } else {
        rig.driver = rig.driver.restarted();
        rig.driver.open(consumer);
        rig.driver.request(consumer, 'Resume', { tokens: [rig.token(1)] });
      }
      expect(rig.park(1)).not.toBe('parked');
      expect(rig.driver.infoOf(1).parkKey).toBe('');
    },
  );

  test('runs on when the next period begins, and when its budget is removed', () => {
    const rig = parked();
    rig.driver.advance(dayMs);
    // The lease of the fourth ran out meanwhile.
    expect(rig.delivered().toSorted((one, other) => one - other)).toEqual([1, 2, 3, 4]);
    expect(rig.budget).toMatchObject({ startMs: dayMs, endMs: 2 * dayMs, settledMicros: 0 });
    const other = parked();
    other.driver.request(operator, 'RemoveBudgets', { names: ['daily', 'none'] });
    expect(other.delivered()).toEqual([2, 3, 1]);
    expect(other.budget).toBeUndefined();
  });
});

describe('a budget', () => {
  test('that is known is declared again and again, and with other terms it is a conflict', () => {
    const rig = new Rig(1);
    const before = rig.driver.log.length;
    expect(rig.set([daily])).toEqual({});
    expect(rig.driver.log).toHaveLength(before);
    const other = { ...daily, amountMicros: 300 };
    const added = { ...daily, name: 'weekly' };
    expect(rig.set([added, other])).toMatchObject({ code: errorCodes.CONFLICT.number });
    expect(rig.driver.log).toHaveLength(before);
    rig.reserve(1, 11, 40);
    rig.charge(11, 'settled', 40);
    expect(rig.set([other], 'set')).toEqual({});
    expect(rig.budget).toMatchObject({ amountMicros: 300, settledMicros: 40 });
  });

  test('that was raised stays raised when it is declared again', () => {
    const rig = new Rig(1);
    rig.raise(500);
    rig.set([daily]);
    expect(rig.budget).toMatchObject({ amountMicros: 500, terms: { amountMicros: 100 } });
    rig.set([daily], 'set');
    expect(rig.budget).toMatchObject({ amountMicros: 100 });
  });

  test('takes no amount that is used up already, and is none when it is not known', () => {
    const rig = new Rig(1);
    rig.reserve(1, 11, 60);
    expect(rig.raise(60)).toMatchObject({ code: errorCodes.BAD_REQUEST.number });
    expect(rig.raise(61)).toEqual({});
    const fields = { name: 'none', amountMicros: 5 };
    expect(rig.driver.request(operator, 'RaiseBudget', fields)).toMatchObject({
      code: errorCodes.NOT_FOUND.number,
    });
  });

  test.each([
    ['a name', { name: 'a b' }],
    ['an amount', { amountMicros: 0 }],
    ['a bounded amount', { amountMicros: Number.MAX_SAFE_INTEGER }],
    ['a currency', { currency: '' }],
    ['a time zone', { timeZone: 'Mars/Olympus' }],
  ])('has %s, or nothing is changed', (_, wrong) => {
    const rig = new Rig(0, []);
    const before = rig.driver.log.length;
    expect(rig.set([{ ...daily, ...wrong }])).toMatchObject({
      code: errorCodes.BAD_REQUEST.number,
    });
    expect(rig.driver.log).toHaveLength(before);
  });

  test('for each job counts all attempts of one job, and ends with it', () => {
    const rig = new Rig(2, [{ ...daily, name: 'agent.maxCost', per: 'job' }]);
    rig.reserve(1, 11, 70);
    rig.charge(11, 'settled', 70);
    rig.driver.settle(consumer, rig.token(1), 'retry');
    rig.delivered();
    expect(rig.reserve(1, 12, 40)).toMatchObject({ reason: 'amount', leftMicros: 30 });
    expect(rig.reserve(2, 13, 40)).toEqual(granted);
    expect(rig.budget).toMatchObject({ settledMicros: 70, heldMicros: 40 });
    rig.driver.settle(consumer, rig.token(1), 'ack');
    expect(rig.budget).toMatchObject({ settledMicros: 0, heldMicros: 40 });
  });
});
