/** Drills of the fault server: extracts that come late, changed or broken, the same way each time. */

import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createCaller, ModelError } from '../../../core/model/index.ts';
import { faultFor } from '../../support/drills/dice.ts';
import { parseKnobs } from '../../support/drills/knobs.ts';
import { EndpointProcess } from '../../support/project.ts';
import { type FaultServer, faultServer } from '../../support/servers/fault-server.ts';
import { call, failureOf, millText, summarize } from './fake-server.ts';

let server: FaultServer;

beforeAll(async () => {
  server = await faultServer();
});

afterAll(() => server.close());

/** What became of a call, in a word. */
async function outcome(model: string, subject = millText, at = server): Promise<string> {
  try {
    return (await call(at.provider, { ...summarize(model, subject), idleMs: 1_500 })).finishReason;
  } catch (error) {
    if (error instanceof ModelError) return error.code;
    throw error;
  }
}

test('knobs are read from the model id', () => {
  const id =
    'aiq-offline?latency=1.5s&error=429:0.2&error=500:.1&retryAfter=3&cut=0.05&long=2kb&seed=7';
  expect(parseKnobs(id)).toMatchObject({
    ok: true,
    knobs: {
      latencyMs: 1500,
      errors: [
        { status: 429, probability: 0.2 },
        { status: 500, probability: 0.1 },
      ],
      retryAfterSeconds: 3,
      faults: { cut: 0.05, html: 0 },
      longBytes: 2048,
      seed: 7,
    },
  });
  expect(parseKnobs('gpt-5')).toBeNull();
  expect(parseKnobs('aiq-offline-2')).toBeNull();
});

test.each([
  ['latency=300', 'latency'],
  ['error=200:0.5', 'error'],
  ['error=429:2', 'error'],
  ['cut=yes', 'cut'],
  ['seed=-1', 'seed'],
  ['usage=maybe', 'usage'],
  ['toString=1', 'toString'],
  ['speed=1', 'unknown knob "speed"'],
  ['cut=0.7&html=0.7', 'more than 1'],
])('%s is refused with its reason', (knobs, reason) => {
  const result = parseKnobs(`aiq-offline?${knobs}`);
  expect(result).toMatchObject({ ok: false, problem: expect.stringContaining(reason) });
});

test('faults come about as often as they should', () => {
  const parsed = parseKnobs('aiq-offline?error=429:0.2&cut=0.1&seed=1');
  if (parsed === null || !parsed.ok) throw new Error('The knobs are wrong.');
  const counts = { error: 0, cut: 0, none: 0 };
  for (let index = 0; index < 4000; index += 1) {
    counts[faultFor(parsed.knobs, `body-${index}`, 0).kind as keyof typeof counts] += 1;
  }
  // The dice are seeded, so these counts are always the same; the margins only say what is meant.
  expect(counts.error / 4000).toBeCloseTo(0.2, 1);
  expect(counts.cut / 4000).toBeCloseTo(0.1, 1);
});

const faulty = 'aiq-offline?error=429:0.2&error=500:0.1&cut=0.15&html=0.1&reset=0.1&length=0.1';

function round(seed: number, at = server): Promise<string[]> {
  const subjects = Array.from({ length: 24 }, (_, index) => `${millText} Part ${index}.`);
  return Promise.all(subjects.map((subject) => outcome(`${faulty}&seed=${seed}`, subject, at)));
}

test('faults repeat exactly for the same seed and requests, and differ for another seed', async () => {
  const first = await round(1);
  const other = await round(2);
  const twin = await faultServer();
  onTestFinished(() => twin.close());
  const again = await round(1, twin);
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
  for (const code of ['rate_limited', 'stop']) expect(first).toContain(code);
  expect(new Set(first).size).toBeGreaterThan(3);
});

test('the same request again throws the dice again, so that a retry can succeed', async () => {
  const outcomes = [];
  for (let attempt = 0; attempt < 12; attempt += 1) {
    outcomes.push(await outcome('aiq-offline?error=500:0.5&seed=3', millText));
  }
  expect(new Set(outcomes)).toEqual(new Set(['server_error', 'stop']));
});

test('each fault shows up as what it is', async () => {
  expect(await outcome('aiq-offline?error=503:1&retryAfter=3', millText)).toBe('overloaded');
  expect(await outcome('aiq-offline?error=401', millText)).toBe('unauthorized');
  expect(await outcome('aiq-offline?cut=1', millText)).toBe('stream_cut');
  expect(await outcome('aiq-offline?silent=1', millText)).toBe('stream_idle');
  expect(await outcome('aiq-offline?html=1', millText)).toBe('not_a_model_endpoint');
  expect(await outcome('aiq-offline?reset=1', millText)).toBe('connection_failed');
  expect(await outcome('aiq-offline?length=1', millText)).toBe('length');
  expect(await outcome('aiq-offline?long=200kb', millText)).toBe('answer_too_long');
  const throttled = await failureOf(
    server.provider,
    summarize('aiq-offline?error=429&retryAfter=3'),
  );
  expect(throttled.retryAfterMs).toBe(3000);
  const uncounted = await call(server.provider, summarize('aiq-offline?usage=off'));
  expect(uncounted.usage.estimated).toBe(true);
});

test('an unknown knob is refused by name', async () => {
  const error = await failureOf(server.provider, { model: 'aiq-offline?lateness=3' });
  expect(error).toMatchObject({ failure: 'permanent', status: 400 });
  expect(error.message).toContain('lateness');
});

test('many calls with latency wait side by side', async () => {
  const model = 'aiq-offline?latency=3600s';
  const caller = await createCaller(server.provider);
  const abort = new AbortController();
  const ended = Promise.allSettled(
    Array.from({ length: 60 }, (_, index) =>
      caller.call(summarize(model, `${millText} ${index}`), abort.signal),
    ),
  );
  // None is answered before the last has begun.
  await expect.poll(() => server.calls(model)).toBe(60);
  abort.abort();
  const outcomes = await ended;
  expect(outcomes.map(({ status }) => status)).toEqual(outcomes.map(() => 'rejected'));
});

test('a process of its own logs every call', async () => {
  const endpoint = await EndpointProcess.start('aiq-offline');
  onTestFinished(() => endpoint.stop());
  const { OPENAI_BASE_URL: baseURL = '', OPENAI_API_KEY: apiKey = '' } = endpoint.env;
  const answer = await call({ ...server.provider, baseURL, apiKey }, summarize('aiq-offline'));
  expect(answer.finishReason).toBe('stop');
  expect(await endpoint.started()).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
});
