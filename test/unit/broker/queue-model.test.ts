/**
 * Random histories against promises: producers, consumers that vanish, time and restarts of the
 * broker, checked by an oracle that only knows what was answered.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Delivery, LeaseToken, Message } from '../../../core/protocol/index.ts';
import { checkedJob, Driver, idOf } from './queue-driver.ts';

const consumers = [1, 2, 3];
const producer = 9;

type Step =
  | { readonly do: 'enqueue'; readonly id: number; readonly delayMs: number }
  | {
      readonly do: 'settle';
      readonly pick: number;
      readonly outcome: 'ack' | 'retry' | 'returned' | 'final';
      readonly late: boolean;
    }
  | {
      readonly do: 'vanish' | 'goodbye' | 'reconnect' | 'cancel' | 'operatorRetry';
      readonly pick: number;
    }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'restart'; readonly resumes: boolean };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('enqueue' as const),
        id: fc.integer({ min: 1, max: 30 }),
        delayMs: fc.constantFrom(0, 0, 200),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('settle' as const),
        pick: fc.nat(1000),
        outcome: fc.constantFrom(
          'ack' as const,
          'ack' as const,
          'retry' as const,
          'returned' as const,
          'final' as const,
        ),
        late: fc.boolean(),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom(
          'vanish' as const,
          'goodbye' as const,
          'reconnect' as const,
          'cancel' as const,
          'operatorRetry' as const,
        ),
        pick: fc.nat(1000),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('advance' as const),
        ms: fc.constantFrom(1, 60, 150, 1100),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('restart' as const), resumes: fc.boolean() }),
    },
  ),
  { minLength: 20, maxLength: 120 },
);

/** One history: what the oracle knows, and how each step is played. */
class History {
  driver = new Driver();
  readonly accepted = new Set<number>();
  readonly finished = new Map<string, 'done' | 'cancelled'>();
  /** Newest token that was seen for a job, and the connection that holds it. */
  readonly newest = new Map<string, LeaseToken>();
  held: { token: LeaseToken; connection: number }[] = [];
  stale: { token: LeaseToken; connection: number }[] = [];
  readonly #sessions = new Map(consumers.map((consumer) => [consumer, consumer]));
  #nextSession = 1000;

  constructor() {
    this.#connect();
  }

  play(step: Step): void {
    if (step.do === 'enqueue') this.#enqueue(step.id, step.delayMs);
    if (step.do === 'settle') this.#settle(step);
    if (step.do === 'vanish' || step.do === 'goodbye')
      this.#leave(step.do, consumers[step.pick % 3] ?? 1);
    if (step.do === 'reconnect') this.#reconnect(consumers[step.pick % 3] ?? 1);
    if (step.do === 'cancel') this.#cancel(step.pick);
    if (step.do === 'operatorRetry')
      this.driver.request(producer, 'Retry', { ids: [idOf((step.pick % 30) + 1)] });
    if (step.do === 'advance') this.#advance(step.ms);
    if (step.do === 'restart') this.#restart(step.resumes);
    this.#collect();
    for (const id of this.accepted) expect(this.driver.stateOf(id)).not.toBe('none');
  }

  /** After the faults: whatever is not finished or dead can still be worked off. */
  drain(): void {
    for (const consumer of consumers) this.driver.close(consumer);
    this.#drop(() => true);
    const last = 50;
    this.driver.open(last);
    this.driver.subscribe(last, 100);
    for (let round = 0; round < 10; round++) {
      this.driver.advance(1100);
      for (const { token } of this.driver.deliveries(last)) this.driver.settle(last, token);
    }
    for (const id of this.accepted) {
      expect(['done', 'dead', 'cancelled']).toContain(this.driver.stateOf(id));
    }
  }

  #connect(): void {
    this.driver.open(producer);
    for (const consumer of consumers) this.#comeBack(consumer);
  }

  /** Opens the consumer's session, which gets back every lease that it still holds. */
  #comeBack(consumer: number): void {
    this.driver.open(consumer, this.#sessions.get(consumer));
    const mine = this.held.filter((held) => held.connection === consumer);
    const tokens = mine.map((held) => held.token);
    const { items } = this.driver.request(consumer, 'Resume', { tokens }) as Message<'ResumeOk'>;
    expect(items.map((item) => item.code)).toEqual(tokens.map(() => 0));
    this.driver.subscribe(consumer, 4);
  }

  #reconnect(consumer: number): void {
    this.#renew();
    this.driver.close(consumer);
    this.driver.advance(60);
    this.#comeBack(consumer);
  }

  #enqueue(id: number, delayMs: number): void {
    const [answer] = this.driver.enqueue(producer, [checkedJob({ id, delayMs })]);
    expect(answer?.outcome).toBe(this.accepted.has(id) ? 'exists' : 'created');
    this.accepted.add(id);
  }

  #settle(step: Extract<Step, { do: 'settle' }>): void {
    const from = step.late ? this.stale : this.held;
    const lease = from[step.pick % Math.max(1, from.length)];
    if (lease === undefined) return;
    const before = this.driver.log.length;
    const { code, state } = this.driver.settle(lease.connection, lease.token, step.outcome);
    if (step.late) {
      // A stale token changes nothing, whatever is answered.
      expect(this.driver.log.length).toBe(before);
      return;
    }
    expect(code).toBe(0);
    if (state === 'done') this.finished.set(lease.token.id, 'done');
    this.#drop((held) => held === lease);
  }

  #leave(how: 'vanish' | 'goodbye', consumer: number): void {
    if (how === 'goodbye') this.driver.request(consumer, 'Goodbye', {});
    this.driver.close(consumer);
    // Vanished consumers come back as another session, so what they held is lost or handed back.
    this.#drop((held) => held.connection === consumer);
    this.#renew();
    this.driver.advance(200);
    this.#sessions.set(consumer, this.#nextSession++);
    this.#comeBack(consumer);
  }

  #cancel(pick: number): void {
    const id = idOf((pick % 30) + 1);
    const answer = this.driver.request(producer, 'Cancel', { ids: [id] }) as {
      items: { code: number }[];
    };
    if (answer.items[0]?.code !== 0) return;
    this.finished.set(id, 'cancelled');
    this.#drop((held) => held.token.id === id);
  }

  #advance(ms: number): void {
    this.#renew();
    this.driver.advance(ms);
    if (ms > 1000) this.#drop(() => true);
  }

  #renew(): void {
    for (const connection of consumers.filter((each) =>
      this.held.some((held) => held.connection === each),
    )) {
      const mine = this.held.filter((held) => held.connection === connection);
      const tokens = mine.map((held) => held.token);
      const { items } = this.driver.request(connection, 'Extend', {
        tokens,
      }) as Message<'ExtendOk'>;
      expect(items.map((item) => item.code)).toEqual(tokens.map(() => 0));
    }
  }

  #restart(resumes: boolean): void {
    this.driver = this.driver.restarted();
    if (!resumes) {
      // The old sessions never return: their leases end after one lease time.
      this.#drop(() => true);
      this.driver.advance(1000);
    }
    this.#connect();
  }

  #drop(which: (held: { token: LeaseToken; connection: number }) => boolean): void {
    this.stale.push(...this.held.filter(which));
    this.held = this.held.filter((held) => !which(held));
  }

  #collect(): void {
    for (const connection of consumers) {
      for (const delivery of this.driver.deliveries(connection))
        this.#delivered(delivery, connection);
    }
    this.driver.sent = [];
  }

  #delivered({ token }: Delivery, connection: number): void {
    expect(this.finished.has(token.id), 'a finished job was delivered').toBe(false);
    expect(
      this.held.some((held) => held.token.id === token.id),
      'two live leases',
    ).toBe(false);
    const before = this.newest.get(token.id);
    if (before !== undefined) {
      expect(token.epoch).toBeGreaterThanOrEqual(before.epoch);
      expect(token.delivery).toBeGreaterThan(before.delivery);
    }
    this.newest.set(token.id, token);
    this.held.push({ token, connection });
  }
}

test('no random history breaks a promise', () => {
  fc.assert(
    fc.property(steps, (history) => {
      const played = new History();
      for (const step of history) played.play(step);
      played.drain();
    }),
    { numRuns: 150 },
  );
});
