/** The server of the fault matrix with an eye on its own answers: which of its calls said what they used. */

import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { type FakeServer, fakeServer, refuse } from '../integration/model/fake-server.ts';
import { RepeatCounter } from '../support/drills/dice.ts';
import { faults } from '../support/faults/index.ts';

/** For a million tokens, as whole numbers of millionths for ten tokens in the sum. */
const rates = { input: 10, cachedInput: 1, output: 100 } as const;
export const faultPrice = { input: 1, cachedInput: 0.1, output: 10 } as const;

/** What the server said of one call, as far as it came. */
export interface SaidCall {
  readonly fault: string;
  /** Millionths, by the usage that it told; null where it told none that can be used. */
  readonly micros: number | null;
  /** It began to stream an answer, and so may have billed it. */
  readonly isStreamed: boolean;
}

export interface FaultBill extends FakeServer {
  /** Of calls that are over. */
  readonly said: readonly SaidCall[];
}

/** First bytes of what gzip packed. */
const gzipMark = 0x1f8b;
const keptBytesMax = 1024 * 1024;

export async function faultBill(): Promise<FaultBill> {
  const byName = new Map(faults.map((fault) => [fault.name, fault]));
  const counts = new RepeatCounter();
  const said: SaidCall[] = [];
  const server = await fakeServer((response, seen) => {
    if (seen.url.endsWith('/models')) {
      response.setHeader('content-type', 'application/json');
      return response.end(JSON.stringify({ data: [...byName.keys()].map((id) => ({ id })) }));
    }
    const fault = byName.get(String(seen.body['model']));
    if (fault === undefined) return refuse(response, 404, { message: 'no such fault' });
    const { name } = fault;
    const bytes = keptBytesOf(response);
    response.once('close', () => {
      const text = textOf(Buffer.concat(bytes));
      said.push({ fault: name, micros: microsIn(text), isStreamed: /^(?:data)?:/.test(text) });
    });
    return fault.answer(response, seen, counts.next(`${name} ${jobIn(seen.body)}`) + 1);
  });
  return { ...server, said };
}

/** The job that asks: the first message of its user, whatever follows. */
function jobIn({ messages }: { readonly [key: string]: unknown }): string {
  const all = messages as readonly { readonly role: string; readonly content: string }[];
  const first = all.find(({ role }) => role === 'user')?.content ?? '';
  return createHash('sha256').update(first).digest('hex');
}

/** All that is written from now on. */
function keptBytesOf(response: ServerResponse): Buffer[] {
  const kept: Buffer[] = [];
  let left = keptBytesMax;
  const keep = (chunk: unknown): void => {
    if (!(typeof chunk === 'string' || chunk instanceof Uint8Array) || left <= 0) return;
    const bytes = Buffer.from(chunk);
    left -= bytes.length;
    kept.push(bytes);
  };
  for (const name of ['write', 'end'] as const) {
    const send = response[name].bind(response) as (...args: unknown[]) => never;
    response[name] = (...args: unknown[]): never => {
      keep(args[0]);
      return send(...args);
    };
  }
  return kept;
}

function textOf(bytes: Buffer): string {
  const isPacked = bytes.length > 1 && bytes.readUInt16BE(0) === gzipMark;
  return (isPacked ? gunzipSync(bytes) : bytes).toString();
}

/** By the last usage in the answer, where all of it are counts. */
function microsIn(text: string): number | null {
  const documents = [text, ...text.split('\n').map((line) => line.replace(/^data: /, ''))];
  const found = documents.flatMap((one) => usageIn(one) ?? []).at(-1);
  if (found === undefined) return null;
  const { prompt_tokens: prompt, completion_tokens: completion } = found;
  const cached = found.prompt_tokens_details?.cached_tokens ?? 0;
  if (![prompt, completion, cached].every((count) => Number.isSafeInteger(count) && count >= 0)) {
    return null;
  }
  const tenths =
    rates.input * (prompt - cached) + rates.cachedInput * cached + rates.output * completion;
  return Math.floor((tenths + 9) / 10);
}

interface SaidUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number };
}

function usageIn(text: string): SaidUsage | null {
  try {
    return (JSON.parse(text) as { usage?: SaidUsage } | null)?.usage ?? null;
  } catch {
    return null;
  }
}
