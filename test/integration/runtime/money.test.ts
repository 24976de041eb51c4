/** The money of an attempt's calls: reserved before each, charged once after it. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unknownCostMicros } from '../../../core/job-queue/index.ts';
import { ModelError } from '../../../core/model/index.ts';
import { AttemptError } from '../../../core/runtime/attempt/failure.ts';
import type { Admission } from '../../../core/runtime/attempt/money.ts';
import type { Projection } from '../../../core/runtime/outputs/projection.ts';
import { projectionIn } from '../../support/results.ts';
import { fakeJournal, fakeMoney } from '../../support/runtime-fakes.ts';
import { type ScriptedRun, scriptedRun, type Turn } from '../../support/scripted-run.ts';

let root: string;
let projection: Projection;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'aiq-money-'));
  projection = projectionIn(root);
});
afterEach(async () => {
  await projection.close();
  await rm(root, { recursive: true });
});

const model = { id: null, provider: null, options: { maxOutputTokens: 100 } };
const json = {
  format: 'json',
  schema: { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } },
} as const;

async function run(turns: readonly Turn[], options: ScriptedRun = {}) {
  const money = fakeMoney();
  const journal = fakeJournal();
  const given = { money, journal, ...options, agent: { model, ...options.agent } };
  const ran = await scriptedRun({ dir: root, projection }, turns, given);
  return { ...ran, money, kept: journal.charges };
}

const noRoom: Admission = { ok: false, reason: 'amount', budget: 'daily', leftMicros: 1_000 };

describe('a call', () => {
  it('that is answered is charged with its entry of the journal, at what it used', async () => {
    const { money, kept } = await run([{}]);
    const [call] = money.reserved;
    expect(call).toMatchObject({ model: 'test-model' });
    expect(call?.hold).toBeGreaterThan(0);
    expect(call?.hold).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER);
    expect(call?.boundMicros).toBeGreaterThan(1_000);
    expect(call?.boundMicros).toBeLessThan(10_000);
    const usage = { calls: 1, inputTokens: 10, outputTokens: 5, costMicros: 70, estimated: false };
    const said = { throttledMs: null, allowances: [] };
    expect(kept).toEqual([
      { hold: call?.hold, end: 'settled', model: 'test-model', usage, ...said },
    ]);
    expect(money.charged).toEqual([]);
  });

  it('whose usage was not reported has an unknown end, at its bound', async () => {
    const { money, kept } = await run([
      { usage: { inputTokens: 10, outputTokens: 5, estimated: true } },
    ]);
    const bound = money.reserved[0]?.boundMicros;
    expect(kept).toMatchObject([
      { end: 'unknown', usage: { inputTokens: 10, costMicros: bound, estimated: true } },
    ]);
  });

  it.each([
    ['was refused', { status: 429 }, 'unsent', { calls: 0, costMicros: 0 }],
    ['failed at the server', { status: 500 }, 'unknown', { calls: 1, estimated: true }],
    [
      'failed and said what it used',
      { usage: { inputTokens: 10, outputTokens: 5, estimated: false } },
      'settled',
      { calls: 1, costMicros: 70, estimated: false },
    ],
  ])('that %s is charged alone', async (_, options, end, usage) => {
    const error = new ModelError('unavailable', 'the_code', 'why', options);
    const { money, kept } = await run([error]);
    const [call] = money.reserved;
    expect(money.charged).toMatchObject([{ hold: call?.hold, end, usage }]);
    expect(kept).toEqual([]);
  });

  it('that is made again with a higher limit holds money of its own', async () => {
    const { money, kept } = await run([{ finishReason: 'length' }, {}]);
    const [first, second] = money.reserved;
    expect(second?.hold).not.toBe(first?.hold);
    expect((second?.boundMicros ?? 0) - (first?.boundMicros ?? 0)).toBeGreaterThanOrEqual(1_000);
    expect(kept.map(({ hold }) => hold)).toEqual([first?.hold, second?.hold]);
  });

  it.each([
    ['that costs nothing', { input: 0, output: 0 }, 0],
    ['of a model without a price', null, unknownCostMicros],
  ])('%s holds nothing, and is counted with its entry', async (_, price, cost) => {
    const { money, kept } = await run([{}], { price });
    const usage = {
      calls: 1,
      inputTokens: 10,
      outputTokens: 5,
      costMicros: cost,
      estimated: false,
    };
    expect(kept).toMatchObject([{ hold: 0, end: 'settled', model: 'test-model', usage }]);
    expect([money.reserved, money.charged]).toEqual([[], []]);
  });

  it('of a model without a price that failed is counted alone, where it says what it used', async () => {
    const usage = { inputTokens: 10, outputTokens: 5, estimated: true };
    const failed = (options: object) => new ModelError('unavailable', 'the_code', 'why', options);
    const { money, kept } = await run([failed({ usage })], { price: null });
    const counted = { ...usage, calls: 1, costMicros: unknownCostMicros };
    expect(money.charged).toMatchObject([
      { hold: 0, end: 'settled', model: 'test-model', usage: counted },
    ]);
    const other = await run([failed({ status: 500 })], { price: null });
    expect([kept, other.kept, other.money.charged]).toEqual([[], [], []]);
  });

  it('of extracts is not counted', async () => {
    const { money, kept } = await run([{}], { provider: { kind: 'offline' } });
    expect([money.reserved, money.charged, kept]).toEqual([[], [], []]);
  });

  it('that the journal has the answer of reserves nothing', async () => {
    const journal = fakeJournal();
    await run([{}], { journal });
    const { money } = await run([{}], { journal, isRedelivery: true, id: 'job1' });
    expect(money.reserved).toEqual([]);
  });
});

describe('a call under rates', () => {
  const none = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null };
  const rates = { provider: 'p', isLocal: false, agentLimits: none, providerLimits: none };
  const price = { input: 0, output: 0 };
  const allowances = [{ kind: 'tokens', limit: 100, left: 90, fullInMs: 10 }] as const;

  it('that costs nothing asks for its place alone, and says what it used and heard', async () => {
    const { money, kept } = await run([{}], { rates, price, allowances });
    const [call] = money.reserved;
    expect(call).toMatchObject({ boundMicros: null, rates: { ...rates, outputTokens: 100 } });
    expect(call?.rates?.inputTokens).toBeGreaterThan(5);
    const usage = { calls: 1, inputTokens: 10, outputTokens: 5, costMicros: 0 };
    expect(kept).toMatchObject([{ hold: call?.hold, usage, throttledMs: null, allowances }]);
  });

  it('that costs something asks for both at once', async () => {
    const { money } = await run([{}], { rates });
    expect(money.reserved).toHaveLength(1);
    expect(money.reserved[0]?.boundMicros).toBeGreaterThan(1_000);
  });

  it.each([
    [1_500, 1_500],
    [null, 0],
  ])(
    'that is throttled says so, with the time that was asked for: %s',
    async (retryAfterMs, ms) => {
      const more = { status: 429, retryAfterMs };
      const error = new ModelError('throttled', 'rate_limited', 'slow down', more);
      const { money, made } = await run([error], { rates, price, allowances });
      expect(made).toMatchObject({ failure: { class: 'throttled' } });
      expect(money.charged).toMatchObject([{ end: 'unsent', throttledMs: ms, allowances }]);
    },
  );

  it('whose attempt waited for most of its time comes back uncharged', async () => {
    const money = fakeMoney();
    money.admission = async () => {
      await sleep(200);
      return { ok: true };
    };
    const never = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    const agent = { limits: { timeoutMs: 300 } };
    const { made } = await run([never], { money, rates, price, agent });
    expect(made).toMatchObject({ failure: { class: 'aborted', code: 'no_room' } });
  });
});

describe('a budget without room', () => {
  it('ends the attempt before the call, with what is needed and left', async () => {
    const money = fakeMoney();
    money.admission = async () => noRoom;
    const { made, calls } = await run([{}], { money });
    const needs = (money.reserved[0]?.boundMicros ?? 0) / 1_000_000;
    expect(made).toMatchObject({
      ok: false,
      failure: {
        class: 'parked',
        code: 'budget',
        park: 'budget:daily',
        message: `parked: budget daily, needs ${needs}, 0.001 left`,
      },
      prompts: null,
      usage: { calls: 0 },
    });
    expect([calls, money.charged]).toEqual([[], []]);
  });

  it('leaves the answers that were bought before it in the journal', async () => {
    const money = fakeMoney();
    const journal = fakeJournal();
    money.admission = async () => (money.reserved.length === 1 ? { ok: true } : noRoom);
    const agent = { output: json };
    const parked = await run([{ text: '{}' }], { money, journal, agent });
    expect(parked.made).toMatchObject({ failure: { class: 'parked' }, usage: { calls: 1 } });
    const again = await run([{ text: '{"n":1}' }], { journal, agent, isRedelivery: true });
    expect(again.result.ok).toBe(true);
    expect(again.calls).toHaveLength(1);
  });

  it.each<[string, Admission, object, RegExp]>([
    [
      'a model that was billed above its bounds',
      { ...noRoom, reason: 'over_bound' },
      { model },
      /^parked: budget daily: test-model was billed above what a call can cost; see aiq budgets show daily$/,
    ],
    [
      'a call without a highest cost',
      noRoom,
      { model: { ...model, options: {} } },
      /^parked: budget daily: nothing limits what a call of test-model can cost; set model\.options\.maxOutputTokens/,
    ],
  ])('names %s', async (_, admission, agent, message) => {
    const money = fakeMoney();
    money.admission = async () => admission;
    const { made } = await run([{}], { money, agent });
    expect(made).toMatchObject({ failure: { message: expect.stringMatching(message) } });
  });

  it('that cannot be asked is a failure, and no call is made', async () => {
    const money = fakeMoney();
    money.admission = async () => ({ ok: false, reason: 'refused', message: 'away' });
    const { made, calls } = await run([{}], { money });
    expect(made).toMatchObject({ failure: { class: 'transient', code: 'not_reserved' } });
    expect(calls).toEqual([]);
  });
});

describe('a call that waits for room', () => {
  const waiting = () => {
    const money = fakeMoney();
    money.admission = () => new Promise(() => {});
    return money;
  };

  it('until its time is over comes back uncharged, and holds nothing', async () => {
    const money = waiting();
    const { made, calls } = await run([{}], { money, agent: { limits: { timeoutMs: 20 } } });
    expect(made).toMatchObject({ failure: { class: 'aborted', code: 'no_room' } });
    const [call] = money.reserved;
    expect(money.charged).toMatchObject([{ hold: call?.hold, end: 'unsent' }]);
    expect(calls).toEqual([]);
  });

  it('and is stopped holds nothing', async () => {
    const money = waiting();
    const stop = new AbortController();
    const ending = run([{}], { money, signal: stop.signal });
    while (money.reserved.length === 0) await new Promise(setImmediate);
    stop.abort(new AttemptError('aborted', 'shutdown', 'the consumer stopped'));
    expect((await ending).made).toMatchObject({ failure: { class: 'aborted', code: 'shutdown' } });
    expect(money.charged).toMatchObject([{ end: 'unsent' }]);
  });
});
