/** Batches in the broker: counted by their jobs, stopped by their failures, resumed by a person. */

import { describe, expect, test } from 'vitest';
import { errorCodes, type LeaseToken, type Message } from '../../../../../core/protocol/index.ts';
import { checkedJob, Driver, idOf, testOptions } from '../driver.ts';

const consumer = 1;
const operator = 2;

class Rig {
  driver = new Driver();
  readonly tokens = new Map<string, LeaseToken>();
  delivered = 0;

  constructor(credit = 1) {
    this.driver.open(consumer);
    this.driver.open(operator);
    this.driver.subscribe(consumer, credit);
  }

  enqueue(from: number, count: number, batch: string, attemptsMax = 3): void {
    const jobs = Array.from({ length: count }, (_, index) =>
      checkedJob({ id: from + index, attemptsMax, more: { batch } }),
    );
    this.driver.enqueue(operator, jobs);
    this.take();
  }

  take(): void {
    for (const { token } of this.driver.deliveries(consumer)) {
      this.delivered++;
      this.tokens.set(token.id, token);
    }
  }

  /** Ends the lease that is held. */
  end(outcome: 'ack' | 'retry' | 'final' | 'throttled', errorCode = 'bad_request'): void {
    const [token] = this.tokens.values();
    if (token === undefined) throw new Error('no lease is held');
    this.tokens.delete(token.id);
    const more = outcome === 'ack' ? {} : { errorCode };
    this.driver.settle(consumer, token, outcome, more);
    this.take();
  }

  open(name: string, stopRule = ''): unknown {
    return this.driver.request(operator, 'OpenBatch', { name, stopRule });
  }

  resume(name: string): unknown {
    const answer = this.driver.request(operator, 'ResumeBatch', { name });
    this.take();
    return answer;
  }

  get batches(): Message<'BatchesOk'>['batches'] {
    const fields = { after: 0, limit: 100 };
    return (this.driver.request(operator, 'Batches', fields) as Message<'BatchesOk'>).batches;
  }
}

describe('a batch', () => {
  test('counts its jobs by state, and what was tried and failed', () => {
    const rig = new Rig();
    rig.enqueue(1, 4, 'spring');
    rig.end('ack');
    rig.end('final');
    rig.end('throttled');
    expect(rig.batches).toMatchObject([
      { name: 'spring', counts: { done: 1, dead: 1, leased: 1, ready: 1 }, tried: 2, failed: 1 },
    ]);
  });

  test('forgets a failure of a job that is done in the end', () => {
    const rig = new Rig();
    rig.enqueue(1, 1, 'spring');
    rig.end('retry');
    expect(rig.batches).toMatchObject([{ tried: 1, failed: 1 }]);
    rig.end('ack');
    expect(rig.batches).toMatchObject([{ tried: 1, failed: 0 }]);
  });

  test('without a name gets the next number, which is never given twice', () => {
    const rig = new Rig();
    expect([rig.open(''), rig.open('7'), rig.open('')]).toEqual([
      { name: '1' },
      { name: '7' },
      { name: '8' },
    ]);
    rig.driver = rig.driver.restarted();
    rig.driver.open(operator);
    expect(rig.open('')).toEqual({ name: '9' });
  });

  test('has a rule that can be read, and a name that is one', () => {
    const rig = new Rig();
    const code = errorCodes.BAD_REQUEST.number;
    expect([rig.open('a b'), rig.open('a', 'often')]).toMatchObject([{ code }, { code }]);
    expect(rig.batches).toEqual([]);
    expect(rig.resume('none')).toMatchObject({ code: errorCodes.NOT_FOUND.number });
  });

  test('without jobs is forgotten after an hour, and so is a budget for it', () => {
    const rig = new Rig();
    rig.driver = new Driver([], { ...testOptions, keepMs: 1_000 });
    rig.driver.open(consumer);
    rig.driver.open(operator);
    rig.driver.subscribe(consumer, 1);
    rig.open('spring');
    rig.open('');
    rig.open('');
    const who = { agent: null, model: null, tag: null, batch: 'spring' };
    const budget = { name: 'cap', amountMicros: 5, currency: 'USD', per: 'all', timeZone: 'UTC' };
    const terms = { ...budget, per: 'all', ...who } as const;
    rig.driver.request(operator, 'SetBudgets', { mode: 'declare', budgets: [terms] });
    rig.enqueue(1, 1, 'spring');
    rig.end('ack');
    rig.driver.advance(3_000);
    expect(rig.batches.map(({ name }) => name)).toEqual(['spring', '1', '2']);
    rig.driver.advance(3_600_000);
    expect(rig.batches.map(({ name }) => name)).toEqual(['2']);
    expect(rig.driver.request(operator, 'Budgets', {})).toEqual({ budgets: [] });
  });
});

describe('a batch whose jobs all fail', () => {
  test.each(['final', 'retry'] as const)(
    'of one cause, %s, is stopped after twenty, and the rest waits',
    (outcome) => {
      const rig = new Rig();
      rig.enqueue(1, 60, '1');
      while (rig.tokens.size > 0) rig.end(outcome);
      expect(rig.delivered).toBe(20);
      const [batch] = rig.batches;
      expect(batch?.stopped).toBe('all 20 jobs that were tried failed: bad_request');
      expect(batch?.counts).toMatchObject({ ready: 0, parked: outcome === 'final' ? 40 : 60 });
      expect(rig.driver.infoOf(60)).toMatchObject({ state: 'parked', parkKey: 'batch:1' });
    },
  );

  test('of several causes, or but for one, goes on', () => {
    const rig = new Rig();
    rig.enqueue(1, 50, '1');
    rig.end('final', 'other');
    while (rig.tokens.size > 0) rig.end('final');
    expect(rig.delivered).toBe(50);
    const other = new Rig();
    other.enqueue(1, 50, '1');
    other.end('ack');
    while (other.tokens.size > 0) other.end('final');
    expect([other.delivered, other.batches[0]?.stopped]).toEqual([50, null]);
  });

  test('goes on after a resume, and stops again after twenty more', () => {
    const rig = new Rig();
    rig.enqueue(1, 60, '1');
    while (rig.tokens.size > 0) rig.end('final');
    expect(rig.resume('1')).toEqual({});
    expect(rig.batches[0]).toMatchObject({ stopped: null });
    while (rig.tokens.size > 0) rig.end('final', 'output_invalid');
    expect(rig.delivered).toBe(40);
    expect(rig.batches[0]?.stopped).toContain('output_invalid');
  });

  test('stays stopped over a restart, for jobs that come later too, and stops no other', () => {
    const rig = new Rig();
    rig.enqueue(1, 30, '1');
    while (rig.tokens.size > 0) rig.end('final');
    rig.driver = rig.driver.restarted();
    rig.driver.open(consumer);
    rig.driver.open(operator);
    rig.driver.subscribe(consumer, 1);
    rig.enqueue(101, 2, '1');
    rig.enqueue(201, 1, '2');
    expect([...rig.tokens.keys()]).toEqual([idOf(201)]);
    expect(rig.driver.infoOf(101).parkKey).toBe('batch:1');
  });
});

test('a rule of its own stops a batch at once, and never means never', () => {
  const rig = new Rig();
  rig.open('few', '2');
  rig.enqueue(1, 10, 'few');
  for (const cause of ['a', 'b', 'c']) rig.end('final', cause);
  expect(rig.tokens.size).toBe(0);
  expect(rig.batches[0]?.stopped).toBe('3 jobs failed, and more than 2 are too many');
  const never = new Rig();
  never.open('all', 'never');
  never.enqueue(1, 30, 'all');
  while (never.tokens.size > 0) never.end('final');
  expect(never.delivered).toBe(30);
});
