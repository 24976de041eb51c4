import { describe, expect, test } from 'vitest';
import {
  errorCodes,
  type JobState,
  type LeaseToken,
  limits,
  type Settlement,
  type SettleOutcome,
} from '../../../../../core/protocol/index.ts';
import { bytesOf, checkedJob, Driver, idOf, testOptions } from '../driver.ts';

type Event = 'due' | 'deliver' | 'ack' | 'retry' | 'final' | 'lost' | 'cancel' | 'operatorRetry';

/** A job in the given state, with a consumer on connection 1 and the token of its last lease. */
function jobIn(state: JobState): { driver: Driver; token: LeaseToken } {
  const driver = new Driver();
  driver.open(1);
  driver.enqueue(1, [checkedJob({ delayMs: state === 'delayed' ? 5000 : 0 })]);
  let token: LeaseToken = { id: idOf(1), epoch: 1, delivery: 1 };
  if (state === 'delayed' || state === 'ready') return { driver, token };
  driver.subscribe(1, 1);
  token = driver.deliveries(1)[0]!.token;
  driver.subscribe(1, 0);
  if (state === 'done') driver.settle(1, token, 'ack');
  if (state === 'dead') driver.settle(1, token, 'final');
  if (state === 'cancelled') driver.request(1, 'Cancel', { ids: [idOf(1)] });
  return { driver, token };
}

/** Lets one event happen and returns the error code of its answer (0: none) and the new state. */
function happen(event: Event, from: JobState): { code: number; state: JobState } {
  const { driver, token } = jobIn(from);
  let code = 0;
  if (event === 'due') driver.advance(5000 * (from === 'leased' ? 0 : 1));
  if (event === 'deliver') {
    driver.subscribe(1, 1);
    code = driver.deliveries(1).length === 1 ? 0 : -1;
  }
  if (event === 'ack' || event === 'final') code = driver.settle(1, token, event).code;
  if (event === 'retry') code = driver.settle(1, token, 'retry', { delayMs: 50 }).code;
  if (event === 'lost') driver.advance(from === 'delayed' ? 0 : testOptions.leaseMs);
  if (event === 'cancel') code = itemCode(driver.request(1, 'Cancel', { ids: [idOf(1)] }));
  if (event === 'operatorRetry') code = itemCode(driver.request(1, 'Retry', { ids: [idOf(1)] }));
  return { code, state: driver.stateOf(1) };
}

function itemCode(answer: unknown): number {
  return (answer as { items: { code: number }[] }).items[0]!.code;
}

const stale = errorCodes.STALE_LEASE.number;
const badState = errorCodes.BAD_STATE.number;

/** The table of docs/internals/architecture.md, cell by cell; a number is the code that must be answered. */
const table: Record<string, Partial<Record<Event, JobState | number>>> = {
  delayed: {
    due: 'ready',
    deliver: -1,
    ack: stale,
    retry: stale,
    final: stale,
    cancel: 'cancelled',
    operatorRetry: badState,
  },
  ready: {
    deliver: 'leased',
    ack: stale,
    retry: stale,
    final: stale,
    cancel: 'cancelled',
    operatorRetry: badState,
  },
  leased: {
    deliver: -1,
    ack: 'done',
    retry: 'delayed',
    final: 'dead',
    lost: 'ready',
    cancel: 'cancelled',
    operatorRetry: badState,
  },
  dead: { deliver: -1, ack: stale, retry: stale, cancel: 'cancelled', operatorRetry: 'ready' },
  done: { deliver: -1, retry: stale, final: stale, cancel: badState, operatorRetry: badState },
  cancelled: {
    deliver: -1,
    ack: badState,
    retry: badState,
    final: badState,
    cancel: badState,
    operatorRetry: badState,
  },
};

describe('the state table', () => {
  for (const [from, row] of Object.entries(table) as [JobState, (typeof table)[string]][]) {
    for (const [event, outcome] of Object.entries(row) as [Event, JobState | number][]) {
      test(`${from} + ${event} gives ${outcome}`, () => {
        const after = happen(event, from);
        if (typeof outcome === 'number') expect(after).toEqual({ code: outcome, state: from });
        else expect(after).toEqual({ code: 0, state: outcome });
      });
    }
  }
});

describe('settling', () => {
  test('a repeated settle with its own token answers as the first one and changes nothing', () => {
    for (const [outcome, state] of [
      ['ack', 'done'],
      ['final', 'dead'],
    ] as const) {
      const { driver, token } = jobIn('leased');
      expect(driver.settle(1, token, outcome)).toMatchObject({ code: 0, state });
      const records = driver.log.length;
      expect(driver.settle(1, token, outcome)).toMatchObject({ code: 0, state });
      expect(driver.log.length).toBe(records);
    }
  });

  test('an older token is fenced by a newer delivery, in the same epoch and in a later one', () => {
    const { driver, token } = jobIn('leased');
    driver.settle(1, token, 'returned');
    driver.subscribe(1, 1);
    const newer = driver.deliveries(1)[0]!.token;
    expect(newer.delivery).toBe(token.delivery + 1);
    expect(driver.settle(1, token).code).toBe(stale);
    expect(driver.settle(1, newer)).toMatchObject({ code: 0, state: 'done' });
  });

  test('a lease belongs to its session: another one cannot settle it', () => {
    const { driver, token } = jobIn('leased');
    driver.open(2);
    expect(driver.settle(2, token).code).toBe(stale);
    expect(driver.settle(1, token).code).toBe(0);
  });

  test('retries are charged until the job is dead', () => {
    const driver = new Driver();
    driver.open(1);
    driver.enqueue(1, [checkedJob({ attemptsMax: 3 })]);
    driver.subscribe(1, 1);
    for (const attempt of [1, 2, 3]) {
      const [delivery] = driver.deliveries(1);
      expect(delivery).toMatchObject({ attempt });
      driver.settle(1, delivery!.token, 'retry', { errorCode: 'boom', errorMessage: 'it broke' });
    }
    expect(driver.infoOf(1)).toMatchObject({ state: 'dead', attempts: 3, errorCode: 'boom' });
  });

  test('throttled and returned charge nothing, but have a cap', () => {
    const driver = new Driver([], { ...testOptions, returnsMax: 5 });
    driver.open(1);
    driver.enqueue(1, [checkedJob({ attemptsMax: 2 })]);
    driver.subscribe(1, 1);
    for (let count = 0; count < 6; count++) {
      const [delivery] = driver.deliveries(1);
      expect(delivery).toMatchObject({ attempt: 1 });
      driver.settle(1, delivery!.token, count % 2 === 0 ? 'throttled' : 'returned');
    }
    expect(driver.infoOf(1)).toMatchObject({
      state: 'dead',
      attempts: 0,
      errorCode: 'returns_exhausted',
    });
  });

  test('what does not go together is BAD_REQUEST and changes nothing', () => {
    const { driver, token } = jobIn('leased');
    const records = driver.log.length;
    const result = { inline: new Uint8Array(1), blob: null };
    const enqueue = [bytesOf(checkedJob({ id: 2 }))];
    const tooMuch: [SettleOutcome, Partial<Settlement>][] = [
      ['ack', { park: 'key' }],
      ['final', { park: 'key' }],
      ['retry', { park: '' }],
      ['retry', { park: 'two words' }],
      ['retry', { result }],
      ['final', { enqueue }],
      ['throttled', { enqueue, result }],
      ['ack', { result: { inline: null, blob: null } }],
      ['ack', { result: { inline: new Uint8Array(limits.inlineBytesMax + 1), blob: null } }],
      ['retry', { delayMs: limits.delayMsMax + 1 }],
      ['retry', { errorCode: 'x'.repeat(limits.errorCodeBytesMax + 1) }],
      ['retry', { errorMessage: 'x'.repeat(limits.errorMessageBytesMax + 1) }],
      ['ack', { note: 'x'.repeat(limits.noteBytesMax + 1) }],
    ];
    for (const [outcome, more] of tooMuch) {
      const answer = driver.settle(1, token, outcome, more);
      expect(answer, JSON.stringify([outcome, Object.keys(more)])).toMatchObject({
        code: errorCodes.BAD_REQUEST.number,
        state: 'leased',
      });
    }
    expect(driver.log.length).toBe(records);
    expect(driver.settle(1, token)).toMatchObject({ code: 0, state: 'done' });
  });

  test('usage adds up over attempts', () => {
    const driver = new Driver();
    driver.open(1);
    driver.enqueue(1, [checkedJob()]);
    driver.subscribe(1, 1);
    const usage = { calls: 1, inputTokens: 10, outputTokens: 2, costMicros: 5, estimated: false };
    driver.settle(1, driver.deliveries(1)[0]!.token, 'retry', { usage });
    driver.settle(1, driver.deliveries(1)[0]!.token, 'ack', { usage });
    expect(driver.infoOf(1).usage).toMatchObject({ calls: 2, inputTokens: 20, costMicros: 10 });
  });
});
