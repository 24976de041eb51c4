/**
 * What an attempt sent to its model, kept by the broker with the end of its lease: templates and agents
 * change, so it cannot be made again later. The newest calls are kept, of failed attempts too.
 */

import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { withoutTexts } from '../../agent/index.ts';
import type { Message, ModelCall, Provider } from '../../model/index.ts';

/** One call as it was sent. */
export interface SentCall {
  /** ISO 8601. */
  readonly at: string;
  /** Number of the attempt, from 1. */
  readonly attempt: number;
  readonly provider: string;
  readonly model: string;
  readonly options: ModelCall['options'];
  /** Names of the tools that were offered. */
  readonly tools: readonly string[];
  /** Name of the schema that the answer had to fit; null for free text. */
  readonly responseSchema: string | null;
  /** A content over 1 MiB is cut and says so in its last line. */
  readonly messages: readonly Message[];
}

/** The calls of one job, oldest first. */
export interface SentPrompts {
  readonly version: 1;
  readonly jobId: string;
  /** Calls that were dropped because newer ones took their place. */
  readonly dropped: number;
  readonly calls: readonly SentCall[];
}

const callsMax = 20;
const bytesMax = 4 * 1024 * 1024;
const contentCharsMax = 1024 * 1024;
/** Less text is kept as it is: compressing it takes a tenth of a millisecond and saves some hundred bytes. */
const packedBytesMin = 1024;
/** A shorter key is a placeholder such as `none`: replacing it would garble the text. */
const keyCharsMin = 6;

/** A call, and whose it was. */
interface Sent {
  readonly attempt: number;
  readonly provider: Provider;
  readonly call: ModelCall;
  readonly atMs: number;
}

/** Collects what an attempt sends. */
export class SentCalls {
  readonly #jobId: string;
  readonly #attempt: number;
  /** Texts of the input that are not kept. */
  readonly #secrets: ReadonlySet<string>;
  readonly #calls: Sent[] = [];
  /** Those of earlier attempts. */
  #before: readonly SentCall[] = [];
  #dropped = 0;

  constructor(
    { id, attempt }: { readonly id: string; readonly attempt: number },
    secrets: ReadonlySet<string>,
  ) {
    this.#jobId = id;
    this.#attempt = attempt;
    this.#secrets = secrets;
  }

  /** Goes on behind what earlier attempts sent; what cannot be read is left out. */
  follow(text: Uint8Array | null): void {
    if (text === null) return;
    try {
      const { calls, dropped } = readPrompts(text);
      this.#before = calls;
      this.#dropped += dropped;
    } catch {
      // Of a later version.
    }
  }

  add(provider: Provider, call: ModelCall): void {
    this.#calls.push({ attempt: this.#attempt, provider, call, atMs: Date.now() });
    if (this.#calls.length <= callsMax) return;
    this.#calls.shift();
    this.#dropped++;
  }

  /** The call that was added last was not sent after all. */
  takeBack(): void {
    this.#calls.pop();
  }

  /** As JSON; null when nothing was sent. */
  text(): Uint8Array | null {
    const [last] = this.#calls.slice(-1);
    if (last === undefined) return null;
    const before = this.#before.map((call) => JSON.stringify(call));
    const own = this.#calls.map((sent) =>
      withoutKey(JSON.stringify(sentCall(sent, this.#secrets)), sent.provider),
    );
    const texts = [...before, ...own];
    let dropped = this.#dropped;
    while (texts.length > 1 && (texts.length > callsMax || sum(texts) > bytesMax)) {
      texts.shift();
      dropped++;
    }
    const head = JSON.stringify({ version: 1, jobId: this.#jobId, dropped });
    return Buffer.from(`${head.slice(0, -1)},"calls":[${texts.join(',')}]}`);
  }
}

function sum(texts: readonly string[]): number {
  return texts.reduce((bytes, text) => bytes + Buffer.byteLength(text), 0);
}

/**
 * The text as it is kept: compressed where that is worth it. Not in a thread that may be terminated: Node ends
 * the whole process where that meets the beginning of a compression ("close before init").
 */
export function packPrompts(text: Uint8Array): Uint8Array {
  return text.length < packedBytesMin ? text : zstdCompressSync(text);
}

/** @throws Error when what was kept is damaged */
export function unpackPrompts(kept: Uint8Array): Uint8Array {
  const isPlain = kept[0] === '{'.charCodeAt(0);
  return isPlain ? kept : zstdDecompressSync(kept, { maxOutputLength: 4 * bytesMax });
}

/** @throws Error when the text is damaged */
export function readPrompts(text: Uint8Array): SentPrompts {
  const value = JSON.parse(Buffer.from(text).toString()) as Partial<SentPrompts> | null;
  if (value?.version !== 1 || !Array.isArray(value.calls)) throw new Error('it is damaged');
  return value as SentPrompts;
}

function sentCall({ attempt, provider, atMs, call }: Sent, secrets: ReadonlySet<string>): SentCall {
  return {
    at: new Date(atMs).toISOString(),
    attempt,
    provider: provider.name,
    model: call.model,
    options: call.options,
    tools: (call.tools ?? []).map(({ name }) => name),
    responseSchema: call.responseSchema?.name ?? null,
    messages: call.messages.map((message) => shown(message, secrets)),
  };
}

function shown(message: Message, secrets: ReadonlySet<string>): Message {
  const { content, toolCalls } = message;
  const hide = (text: string): string => withoutTexts(text, secrets);
  const calls = toolCalls?.map((made) => ({ ...made, arguments: hide(made.arguments) }));
  const hidden = { ...message, content: cut(hide(content)) };
  return calls === undefined ? hidden : { ...hidden, toolCalls: calls };
}

function cut(content: string): string {
  if (content.length <= contentCharsMax) return content;
  const more = content.length - contentCharsMax;
  return `${content.slice(0, contentCharsMax)}\n[${more} more characters were sent]`;
}

function withoutKey(json: string, { apiKey }: Provider): string {
  // As it is written inside a JSON string.
  const written = JSON.stringify(apiKey).slice(1, -1);
  return apiKey.length < keyCharsMin ? json : json.replaceAll(written, '[key]');
}
