/**
 * A provider that bills by itself, in a process of its own that nobody kills: what a call costs is on its
 * bill at the moment that it decides to answer, whatever becomes of the answer. Which call meets which fate
 * is a function of the seed, the request's bytes and how often they came before.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { openSync, writeSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  delta,
  fakeServer,
  refuse,
  type SeenRequest,
  sse,
} from '../integration/model/fake-server.ts';
import { diceOf, RepeatCounter } from '../support/drills/dice.ts';

const file = fileURLToPath(import.meta.url);

/** Called that, a request with another model is refused. */
export const billedModel = 'billed';
/** Millionths for 100 tokens: what `prices` of the project say, as whole numbers. */
const rates = { input: 25, cachedInput: 5, output: 1_000, reasoning: 1_200 } as const;
export const pricesText = `{ ${billedModel}: { input: 0.25, cachedInput: 0.05, output: 10, reasoning: 12 } }`;
export const outputTokensMax = 1_000;

/** What can become of a call. */
type Fate = 'good' | 'throttled' | 'refused' | 'broken' | 'cut' | 'lost' | 'uncounted' | 'late';

/** Shares of all calls, as they are drawn one after the other; what is left is good. */
const shares: Record<'plain' | 'rough', readonly (readonly [Fate, number])[]> = {
  plain: [
    ['throttled', 0.07],
    ['refused', 0.03],
  ],
  rough: [
    ['throttled', 0.04],
    ['refused', 0.03],
    ['broken', 0.03],
    ['cut', 0.03],
    ['lost', 0.02],
    ['uncounted', 0.05],
    ['late', 0.02],
  ],
};

export interface ProviderOptions {
  readonly seed: number;
  readonly isPlain: boolean;
  /** When a late answer comes. */
  readonly lateMs: number;
  /** Where the bill is written. */
  readonly bill: string;
}

export interface BillingProvider {
  readonly baseURL: string;
  readonly apiKey: string;
  stop(): void;
}

export async function startProvider(options: ProviderOptions): Promise<BillingProvider> {
  const child: ChildProcess = fork(file, [JSON.stringify(options)]);
  const [where] = (await once(child, 'message')) as [{ baseURL: string; apiKey: string }];
  return { ...where, stop: () => child.kill('SIGKILL') };
}

interface Tokens {
  readonly prompt: number;
  readonly cached: number;
  readonly completion: number;
  readonly reasoning: number;
}

/** Rounded up, in whole numbers alone. */
function costOf({ prompt, cached, completion, reasoning }: Tokens): number {
  const hundredths =
    rates.input * (prompt - cached) +
    rates.cachedInput * cached +
    rates.output * (completion - reasoning) +
    rates.reasoning * reasoning;
  return Math.floor((hundredths + 99) / 100);
}

function tokensFor(body: SeenRequest['body'], draw: (what: string) => number): Tokens {
  const limit = Number(body['max_completion_tokens'] ?? body['max_tokens']);
  const prompt = Math.ceil(JSON.stringify(body['messages']).length / 4);
  const completion = Math.ceil(limit * (0.4 + 0.6 * draw('completion')));
  const isCached = draw('is cached') < 0.2;
  const isReasoned = draw('is reasoned') < 0.2;
  return {
    prompt,
    cached: isCached ? Math.floor(prompt * draw('cached')) : 0,
    completion,
    reasoning: isReasoned ? Math.floor(completion * draw('reasoning')) : 0,
  };
}

function fateOf(isPlain: boolean, dice: number): Fate {
  let left = dice;
  for (const [fate, share] of shares[isPlain ? 'plain' : 'rough']) {
    if (left < share) return fate;
    left -= share;
  }
  return 'good';
}

/** Pauses that let calls of all places be under way at one time. */
const latencyMs = { least: 20, more: 130 };

async function serve({ seed, isPlain, lateMs, bill }: ProviderOptions) {
  const descriptor = openSync(bill, 'a');
  const repeats = new RepeatCounter();
  let calls = 0;
  const server = await fakeServer(async (response, { url, body }) => {
    if (url.endsWith('/models')) {
      response.setHeader('content-type', 'application/json');
      return response.end(JSON.stringify({ data: [{ id: billedModel }] }));
    }
    if (body['model'] !== billedModel) return refuse(response, 404, { message: 'no such model' });
    calls += 1;
    const id = calls;
    const hash = createHash('sha256').update(JSON.stringify(body)).digest('hex');
    const repeat = repeats.next(hash);
    const draw = (what: string): number => diceOf(`${seed}:${hash}:${repeat}:${what}`);
    const fate = fateOf(isPlain, draw('fate'));
    await sleep(fate === 'late' ? lateMs : latencyMs.least + latencyMs.more * draw('latency'));
    const tokens = tokensFor(body, draw);
    const isBilled = fate === 'broken' ? draw('billed') < 0.5 : !isRefusal(fate);
    // Nobody may still listen: it is billed all the same. The line is there before a byte of the answer is.
    writeSync(descriptor, `${id} ${isBilled ? costOf(tokens) : 0} ${fate}\n`);
    answer(response, fate, tokens);
  });
  return server.provider;
}

function isRefusal(fate: Fate): boolean {
  return fate === 'throttled' || fate === 'refused';
}

function answer(response: ServerResponse, fate: Fate, tokens: Tokens): void {
  if (fate === 'throttled') {
    return refuse(response, 429, { message: 'slow down' }, { 'retry-after-ms': '100' });
  }
  if (fate === 'refused') return refuse(response, 400, { message: 'no' });
  if (fate === 'broken') return refuse(response, 500, { message: 'oops' });
  if (fate === 'lost') return void response.socket?.resetAndDestroy();
  const begun = delta({ content: 'Yes' });
  const rest = [delta({ content: '.' }), delta({}, 'stop')];
  const events = fate === 'cut' ? [begun] : [begun, ...rest];
  const isCounted = fate === 'good' || fate === 'late';
  sse(response, [...events, ...(isCounted ? [usageOf(tokens)] : [])]);
  response.end(fate === 'cut' ? '' : 'data: [DONE]\n\n');
}

function usageOf({ prompt, cached, completion, reasoning }: Tokens): object {
  const usage = {
    prompt_tokens: prompt,
    completion_tokens: completion,
    prompt_tokens_details: { cached_tokens: cached },
    completion_tokens_details: { reasoning_tokens: reasoning },
  };
  return { choices: [], usage };
}

if (process.argv[1] === file) {
  const { baseURL, apiKey } = await serve(JSON.parse(process.argv[2] ?? '') as ProviderOptions);
  process.on('disconnect', () => process.exit());
  process.send?.({ baseURL, apiKey });
}
