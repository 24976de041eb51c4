/** Health of a provider's model: what is held, for how long, and whose fault a failure was. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Health,
  type HealthEvent,
  isPutOff,
  needsPerson,
  newHealth,
  type ProviderFailure,
  roomOf,
  step,
  type Verdict,
  wantsProbe,
} from '../../../core/health/index.ts';

/** A health with a clock that the test moves. */
function watched() {
  let health: Health = newHealth(0);
  const clock = { nowMs: 0 };
  const apply = (event: HealthEvent): Verdict | null => {
    const after = step(health, event, clock.nowMs);
    health = after.health;
    return after.verdict;
  };
  return {
    clock,
    get health() {
      return health;
    },
    get room() {
      return roomOf(health, clock.nowMs);
    },
    start: (job: string) => apply({ type: 'started', job }),
    answer: (job: string) => apply({ type: 'answered', job }),
    end: (job: string) => apply({ type: 'ended', job }),
    fail: (
      job: string,
      failure: ProviderFailure = 'unavailable',
      retryAfterMs: number | null = null,
    ) => apply({ type: 'failed', job, failure, code: failure, message: 'why', retryAfterMs }),
    probe: (found: 'away' | 'refused' | boolean | null) =>
      apply({
        type: 'probed',
        result:
          found === 'away'
            ? { found }
            : found === 'refused'
              ? { found, message: 'no' }
              : { found: 'alive', lists: found },
      }),
    /** Lets the pause end and a probe find the provider alive. */
    reopen() {
      clock.nowMs = Math.max(clock.nowMs, health.untilMs);
      if (wantsProbe(health, clock.nowMs)) this.probe(true);
    },
  };
}

const free = (delayMs: number) => ({ verdict: 'free', delayMs });
const charged = { verdict: 'charged' };

describe('an outage', () => {
  it('holds everybody, charges nobody, and ends with the first answer', () => {
    const w = watched();
    for (const job of ['a', 'b', 'c']) w.start(job);
    expect(w.fail('a')).toEqual(free(2000));
    expect([w.fail('b'), w.fail('c')]).toEqual([free(0), free(0)]);
    expect([w.health.status, w.room]).toEqual(['unavailable', 0]);
    w.reopen();
    expect(w.room).toBe(1);
    w.start('b');
    expect(w.room).toBe(0);
    w.answer('b');
    expect([w.health.status, w.room]).toEqual(['ok', Infinity]);
  });

  it('is over as well when a call that was under way brings an answer', () => {
    const w = watched();
    w.start('a');
    w.start('b');
    w.fail('a');
    w.answer('b');
    expect(w.room).toBe(Infinity);
  });

  it('costs no call while no server answers: probes are free, and their pauses double up to a minute', () => {
    const w = watched();
    w.start('a');
    w.fail('a');
    const pauses: number[] = [];
    for (let probe = 0; probe < 9; probe++) {
      const beforeMs = w.clock.nowMs;
      w.clock.nowMs = w.health.untilMs;
      pauses.push(w.clock.nowMs - beforeMs);
      expect([wantsProbe(w.health, w.clock.nowMs), w.room]).toEqual([true, 0]);
      w.probe('away');
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000));
  });

  it('goes on with one job at a time, and a trial that ends without a word makes room for the next', () => {
    const w = watched();
    w.start('a');
    w.fail('a');
    w.reopen();
    w.start('b');
    w.end('b');
    expect(w.room).toBe(1);
    w.start('c');
    expect(w.fail('c')).toEqual(free(4000));
    expect(w.room).toBe(0);
  });

  it('that is all there is never charges a lone job', () => {
    const w = watched();
    for (let time = 0; time < 200; time++) {
      w.start('lone');
      expect(w.fail('lone')).toMatchObject({ verdict: 'free' });
      w.reopen();
      expect(w.room).toBe(1);
    }
  });

  it('needs a person after ten minutes, or after half a minute where nothing was ever answered', () => {
    const patience = { answeredMs: 600_000, unansweredMs: 30_000 };
    const w = watched();
    w.start('a');
    w.fail('a');
    const stuckAt = (nowMs: number) => needsPerson(w.health, nowMs, patience);
    expect([stuckAt(29_999), stuckAt(30_000)]).toEqual([false, true]);
    w.answer('b');
    w.fail('a');
    expect([stuckAt(599_999), stuckAt(600_000)]).toEqual([false, true]);
  });
});

describe('a job that fails while others succeed', () => {
  it('is charged from its third hold on, also when it is the last one left', () => {
    const w = watched();
    const verdicts = [];
    for (let hold = 0; hold < 3; hold++) {
      w.start('bad');
      verdicts.push(w.fail('bad'));
      w.reopen();
      w.start(`good ${hold}`);
      w.answer(`good ${hold}`);
      w.end(`good ${hold}`);
    }
    expect(verdicts).toEqual([free(2000), free(2000), charged]);
    expect([isPutOff(w.health, 'bad'), isPutOff(w.health, 'good 1')]).toEqual([true, false]);
    w.start('bad');
    expect(w.fail('bad')).toEqual(charged);
    expect(w.room).toBe(Infinity);
  });

  it('is no suspect any more once it had an answer itself', () => {
    const w = watched();
    for (let hold = 0; hold < 4; hold++) {
      w.start('job');
      expect(w.fail('job')).toMatchObject({ verdict: 'free' });
      w.answer('other');
      w.answer('job');
    }
  });

  it('is not counted for calls that only met the same wall as the one that began the hold', () => {
    const w = watched();
    for (let outage = 0; outage < 10; outage++) {
      w.start('first');
      w.start('second');
      w.fail(`first ${outage}`);
      expect(w.fail('second')).toEqual(free(0));
      w.answer('other');
    }
  });
});

describe('what a person has to mend', () => {
  it.each(['misconfigured', 'exhausted'] as const)(
    '%s holds at once and needs one at once',
    (failure) => {
      const w = watched();
      w.start('a');
      expect(w.fail('a', failure)).toEqual(free(0));
      expect(w.room).toBe(0);
      expect(needsPerson(w.health, 0, { answeredMs: 1, unansweredMs: 1 })).toBe(true);
    },
  );

  it('tries no job while the list of models lacks the model, but now and then, for lists may be short', () => {
    const w = watched();
    w.start('a');
    w.fail('a', 'misconfigured');
    let probes = 0;
    while (w.room === 0) {
      w.clock.nowMs = w.health.untilMs;
      w.probe(false);
      probes += 1;
    }
    expect(probes).toBe(4);
    w.start('b');
    w.fail('b', 'misconfigured');
    w.clock.nowMs = w.health.untilMs;
    w.probe(true);
    expect(w.room).toBe(1);
  });

  it('a key that the list refuses turns an outage into what it is', () => {
    const w = watched();
    w.start('a');
    w.fail('a');
    w.clock.nowMs = w.health.untilMs;
    w.probe('refused');
    expect(w.health).toMatchObject({ status: 'misconfigured', code: 'unauthorized' });
  });
});

describe('throttling', () => {
  it('waits as long as asked, with a floor, and opens for all', () => {
    const w = watched();
    expect(w.fail('a', 'throttled', 3000)).toEqual(free(3000));
    expect(w.room).toBe(0);
    w.answer('under way');
    expect(w.room).toBe(0);
    w.clock.nowMs = 3000;
    expect(w.room).toBe(Infinity);
    w.answer('b');
    expect(w.fail('a', 'throttled', 0)).toEqual(free(500));
  });

  it('that names no time, or always too short a one, waits longer each time, so that it comes back seldom', () => {
    for (const retryAfterMs of [null, 0]) {
      const w = watched();
      const waits: number[] = [];
      for (let time = 0; time < 12; time++) {
        const verdict = w.fail('a', 'throttled', retryAfterMs);
        if (verdict?.verdict === 'free') waits.push(verdict.delayMs);
        w.clock.nowMs = w.health.untilMs;
      }
      expect(waits.at(-1)).toBe(300_000);
      expect(waits.toSorted((a, b) => a - b)).toEqual(waits);
    }
  });
});

describe('any history', () => {
  const kinds = ['throttled', 'unavailable', 'misconfigured', 'exhausted'] as const;
  const jobs = fc.constantFrom('a', 'b', 'c', 'd');
  const events = fc.oneof(
    fc.record({ do: fc.constant('fail' as const), job: jobs, kind: fc.constantFrom(...kinds) }),
    fc.record({
      do: fc.constantFrom('start' as const, 'answer' as const, 'end' as const),
      job: jobs,
    }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 100_000 }) }),
    fc.record({
      do: fc.constant('probe' as const),
      found: fc.constantFrom('away' as const, true, false, null),
    }),
  );

  it('charges only a job after whose failures another one had an answer, and always opens again', () => {
    fc.assert(
      fc.property(fc.array(events, { maxLength: 60 }), (history) => {
        const w = watched();
        let answers: string[] = [];
        for (const event of history) {
          if (event.do === 'wait') w.clock.nowMs += event.ms;
          else if (event.do === 'probe') w.probe(event.found);
          else if (event.do === 'fail') {
            const verdict = w.fail(event.job, event.kind);
            if (verdict?.verdict === 'charged') {
              expect(answers.some((job) => job !== event.job)).toBe(true);
            }
          } else {
            w[event.do](event.job);
            if (event.do === 'answer') answers = [...answers, event.job];
          }
        }
        w.end(w.health.trial ?? '');
        for (let turn = 0; turn < 5 && w.room === 0; turn++) w.reopen();
        expect(w.room).toBeGreaterThan(0);
        w.start('last');
        w.answer('last');
        w.clock.nowMs = Math.max(w.clock.nowMs, w.health.untilMs);
        expect(w.room).toBe(Infinity);
      }),
    );
  });
});
