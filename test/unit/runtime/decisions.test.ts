/** The pure parts: backoff, settlement, notes, gates. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../../../core/job-queue/index.ts';
import type { FailureClass } from '../../../core/model/index.ts';
import type { JobSuccess } from '../../../core/runtime/attempt/result.ts';
import { noJobUsage } from '../../../core/runtime/attempt/usage.ts';
import { createGates } from '../../../core/runtime/leases/gates.ts';
import { putOff, retryDelayMs, settleOf } from '../../../core/runtime/leases/settlement.ts';
import { isNoted, noteOf, renoted } from '../../../core/runtime/outputs/note.ts';
import type { RunEnd } from '../../../core/runtime/pool/run.ts';
import { agentOf, threadAgentOf } from '../../support/runtime-fakes.ts';

const { retry } = agentOf();
const job = {
  retry: { ...retry, delayMs: 1000, maxDelayMs: 8000 },
  attempt: 3,
  elapsedMs: 5,
  verdict: null,
  prepared: null,
  random: () => 0.5,
};

const success: JobSuccess = {
  ok: true,
  root: '/out',
  files: [],
  overwrite: 'number',
  replaces: null,
  wasFree: null,
  provenance: {},
  prompts: Buffer.from('sent'),
  model: 'm',
  provider: 'p',
  recovered: false,
  usage: noJobUsage,
};

describe('retryDelayMs', () => {
  it('spreads over the doubled delay and never beyond the cap', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempt, random) => {
          const delay = retryDelayMs(job.retry, attempt, () => random);
          const ceiling = Math.min(8000, 1000 * 2 ** (attempt - 1));
          return delay >= 0 && delay <= ceiling && delay >= Math.floor(random * ceiling);
        },
      ),
    );
  });

  it('is the plain delay when the agent says fixed', () => {
    expect(retryDelayMs({ ...job.retry, backoff: 'fixed' }, 7, () => 0.1)).toBe(1000);
  });
});

describe('settleOf', () => {
  const failedEnd = (failure: FailureClass, retryAfterMs: number | null = null): RunEnd => ({
    type: 'finished',
    result: {
      ok: false,
      failure: { class: failure, code: 'the_code', message: 'why', retryAfterMs },
      prompts: null,
      usage: { ...noJobUsage, calls: 2 },
    },
  });
  const failed = (failure: FailureClass, retryAfterMs?: number) =>
    settleOf(failedEnd(failure, retryAfterMs), job);
  const transientEnd = failedEnd('transient');

  it.each([
    ['transient', 'retry'],
    ['unavailable', 'retry'],
    ['blocked', 'final'],
    ['permanent', 'final'],
    ['aborted', 'returned'],
  ] as const)(
    "settles a %s failure of the job's own as %s, with its cause and what it used",
    (failure, outcome) => {
      expect(failed(failure)).toMatchObject({
        outcome,
        errorCode: 'the_code',
        errorMessage: 'why',
        usage: { calls: 2 },
      });
    },
  );

  it('charges nothing where the provider is at fault, whatever the failure', () => {
    const free = (delayMs: number) => ({ ...job, verdict: { verdict: 'free', delayMs } as const });
    for (const failure of [
      'throttled',
      'unavailable',
      'blocked',
      'misconfigured',
      'exhausted',
    ] as const) {
      expect(settleOf(failedEnd(failure), free(0))).toMatchObject({
        outcome: 'returned',
        delayMs: 0,
      });
      expect(settleOf(failedEnd(failure), free(4000))).toMatchObject({
        outcome: 'throttled',
        delayMs: 4200,
      });
    }
  });

  it('parks a job for the budget that has no room, uncharged, whatever the provider is up to', () => {
    const failure = {
      class: 'parked',
      code: 'budget',
      message: 'parked: budget daily, needs 1, 0 left',
      retryAfterMs: null,
      park: 'budget:daily',
    } as const;
    const result = { ok: false, failure, prompts: null, usage: noJobUsage } as const;
    expect(settleOf({ type: 'finished', result }, job)).toMatchObject({
      outcome: 'returned',
      delayMs: 0,
      errorCode: 'budget',
      errorMessage: 'parked: budget daily, needs 1, 0 left',
      park: 'budget:daily',
    });
  });

  it('waits at least as long as the server asked, and a quarter of an hour at most', () => {
    expect(failed('transient', 20_000).delayMs).toBe(20_000);
    expect(failed('transient', 24 * 3600_000).delayMs).toBe(15 * 60_000);
  });

  it('puts a suspect off for longer each time', () => {
    expect([0, 1, 2, 50].map((times) => putOff(times, 'why').delayMs)).toEqual([
      2000, 4000, 8000, 300_000,
    ]);
    expect(putOff(0, 'why')).toMatchObject({ outcome: 'throttled', errorMessage: 'why' });
  });

  it('draws the delay of a failure anew each time, from nothing to the doubled base', () => {
    const delays = [0, 0.25, 0.999].map(
      (drawn) => settleOf(transientEnd, { ...job, random: () => drawn }).delayMs,
    );
    expect(delays).toEqual([0, 1000, 3996]);
  });

  it('hands files and prompts over with the acknowledgement, and a result without files too', () => {
    const output = {
      dir: '/out',
      overwrite: 'number',
      replaces: null,
      files: [{ path: 'a-2.md', content: Buffer.from('text') }],
      provenance: '{}',
    } as const;
    const prepared = { names: ['a-2.md'], output };
    const kept = settleOf({ type: 'finished', result: success }, { ...job, prepared });
    expect(kept).toMatchObject({ outcome: 'ack', output, prompts: success.prompts });
    expect(JSON.parse(kept.note ?? '')).toMatchObject({ root: '/out', files: ['a-2.md'] });
    const without = { ...job, prepared: { names: ['a.md'], output: null } };
    expect(settleOf({ type: 'finished', result: success }, without)).not.toHaveProperty('output');
  });

  it('tells a crash from a bystander and from what never began', () => {
    const message = 'the worker thread died';
    expect(settleOf({ type: 'crashed', cause: 'out_of_memory', message }, job)).toMatchObject({
      outcome: 'crashed',
      errorCode: 'out_of_memory',
      errorMessage: message,
      delayMs: 2000,
    });
    expect(settleOf({ type: 'bystander', message }, job).outcome).toBe('returned');
    expect(settleOf({ type: 'unstarted' }, job).outcome).toBe('returned');
  });
});

describe('noteOf', () => {
  it('is JSON with the files, where they are, and who made them', () => {
    expect(JSON.parse(noteOf(success, ['a.md'], 12.4))).toEqual({
      root: '/out',
      files: ['a.md'],
      provider: 'p',
      model: 'm',
      elapsedMs: 12,
    });
  });

  it('stays within the limit of the protocol and says how many files it left out', () => {
    const files = Array.from(
      { length: 1000 },
      (_, index) => `folder-${index}/${'é'.repeat(40)}.md`,
    );
    const note = noteOf(success, files, 1);
    expect(Buffer.byteLength(note)).toBeLessThanOrEqual(limits.noteBytesMax);
    const { files: kept, moreFiles } = JSON.parse(note);
    expect(kept.length).toBeGreaterThan(10);
    expect(kept.length + moreFiles).toBe(1000);
    const late = renoted(note, { notWritten: 'é'.repeat(2000) });
    expect(Buffer.byteLength(late)).toBeLessThanOrEqual(limits.noteBytesMax);
    expect(isNoted(note, files)).toBe(true);
    expect(isNoted(late, files)).toBe(false);
  });

  it('says why files are not written, and forgets it once they are', () => {
    const late = renoted(noteOf(success, ['a.md'], 1), { notWritten: 'ENOSPC' });
    expect(JSON.parse(late)).toMatchObject({ files: ['a.md'], notWritten: 'ENOSPC', model: 'm' });
    const there = renoted(late, { names: ['a-2.md'] });
    expect(JSON.parse(there)).toMatchObject({ files: ['a-2.md'], model: 'm' });
    expect(isNoted(there, ['a-2.md'])).toBe(true);
  });
});

const noLimits = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null };
const rateTerms = {
  provider: 'p',
  isLocal: false,
  agentLimits: noLimits,
  providerLimits: noLimits,
};

describe('gates', () => {
  const well = { room: () => Infinity, opensInMs: () => null };
  const gatesAt = (health: Parameters<typeof createGates>[0] = well) => createGates(health);

  it('leave an agent without limits alone', () => {
    const agent = threadAgentOf();
    const gates = gatesAt();
    expect(gates.room(agent)).toBe(Infinity);
    expect(gates.opensInMs(agent)).toBeNull();
  });

  it('give an agent no more places than it may have calls in flight', () => {
    const agent = threadAgentOf({ limits: { concurrency: 2 } });
    const gates = gatesAt();
    const first = gates.started(agent);
    gates.started(agent);
    expect(gates.room(agent)).toBe(0);
    first.ended();
    expect(gates.room(agent)).toBe(1);
  });

  it('start no job that would only wait behind others of its agent for its turn', () => {
    const agent = { ...threadAgentOf(), rates: rateTerms };
    const gates = gatesAt();
    const [first, second] = [gates.started(agent), gates.started(agent)];
    expect(gates.room(agent)).toBe(0);
    first.asks();
    first.answered();
    expect(gates.room(agent)).toBe(1);
    first.asks();
    expect(gates.room(agent)).toBe(0);
    first.ended();
    second.ended();
    expect(gates.room(agent)).toBe(2);
  });

  it('let nothing through that the health of the provider does not', () => {
    const agent = threadAgentOf();
    const gates = gatesAt({ room: () => 0, opensInMs: () => 2000 });
    expect([gates.room(agent), gates.opensInMs(agent)]).toEqual([0, 2000]);
  });
});
