/**
 * Nothing is paid for twice: each answer of the model, and each result of an agent's own tool, is
 * kept in the job's journal before anything else is done with it, and a later delivery of the job
 * takes it from there. The key is all that was asked, so that an edited prompt asks anew.
 */

import { createHash } from 'node:crypto';
import type { JsonObject } from '../../agent/index.ts';
import { canonicalJson } from '../../job-queue/index.ts';
import { finishKind, type ModelAnswer, type ModelCall } from '../../model/index.ts';
import type { Journal } from './journal.ts';
import type { CallCharge } from './money.ts';
import { orAborted } from './or-aborted.ts';
import type { ToolResult } from './tools/tool-result.ts';

export interface PaidOnceOptions {
  readonly journal: Journal;
  /** False for a job's first delivery: its journal is empty. */
  readonly isRedelivery: boolean;
  readonly signal: AbortSignal;
}

export interface Bought<T> {
  readonly value: T;
  /** What it cost; null where nothing was held for it. */
  readonly charge: CallCharge | null;
}

export class PaidOnce {
  readonly #options: PaidOnceOptions;
  /** An attempt may have to ask the same again. */
  #step = 0;
  #replayed = 0;
  #round: Promise<number> | null = null;

  constructor(options: PaidOnceOptions) {
    this.#options = options;
  }

  /** Answers so far, from wherever. */
  get answers(): number {
    return this.#step;
  }

  /** Answers that came from the journal. */
  get replayed(): number {
    return this.#replayed;
  }

  /**
   * The answer that was paid for before, or the one that is bought now.
   * @throws what `buy` throws, and the signal's reason once it aborted
   */
  async answer(request: ModelCall, buy: () => Promise<Bought<ModelAnswer>>): Promise<ModelAnswer> {
    const { model, messages, options, tools, toolChoice, responseSchema } = request;
    const asked = { model, messages, options, tools, toolChoice, responseSchema };
    const step = this.#step;
    const { value, isReplayed } = await this.#once({ step, ...asked }, buy, readAnswer);
    this.#step += 1;
    if (isReplayed) this.#replayed += 1;
    return value;
  }

  /** The same for a tool that may have cost something, or changed something. */
  async toolResult(
    tool: string,
    args: JsonObject,
    run: () => Promise<ToolResult>,
  ): Promise<ToolResult> {
    const bought = async () => ({ value: await run(), charge: null });
    return (await this.#once({ tool, args }, bought, readToolResult)).value;
  }

  /**
   * Invalidates the answers: they led to no result, and would lead to none again, so that a retry of
   * the job asks anew.
   */
  async invalidate(): Promise<void> {
    if (this.#step === 0) return;
    await this.#options.journal.put(invalidatedHash(await this.#roundNow()), new Uint8Array());
  }

  async #once<T>(
    asked: object,
    buy: () => Promise<Bought<T>>,
    read: (value: unknown) => T | null,
  ): Promise<{ value: T; isReplayed: boolean }> {
    const { journal, isRedelivery, signal } = this.#options;
    const round = isRedelivery ? await orAborted(this.#roundNow(), signal) : 0;
    const callHash = hashOf({ round, ...asked });
    if (isRedelivery) {
      const kept = parsed(await orAborted(journal.get(callHash), signal), read);
      if (kept !== null) return { value: kept, isReplayed: true };
    }
    const { value, charge } = await buy();
    const bytes = Buffer.from(JSON.stringify(value));
    const stored = await orAborted(journal.put(callHash, bytes, charge ?? undefined), signal);
    return { value: parsed(stored, read) ?? value, isReplayed: false };
  }

  /** How often the job's answers were invalidated. */
  #roundNow(): Promise<number> {
    this.#round ??= this.#countRounds();
    return this.#round;
  }

  async #countRounds(): Promise<number> {
    const { journal, isRedelivery } = this.#options;
    if (!isRedelivery) return 0;
    let round = 0;
    while ((await journal.get(invalidatedHash(round))) !== null) round += 1;
    return round;
  }
}

/** The property is hashed into entries of existing journals, so its name stays. */
function invalidatedHash(round: number): Uint8Array {
  return hashOf({ spent: round });
}

function hashOf(asked: object): Uint8Array {
  return createHash('sha256').update(canonicalJson(asked)).digest();
}

/** Null for nothing, and for what a later version may have written. */
function parsed<T>(bytes: Uint8Array | null, read: (value: unknown) => T | null): T | null {
  if (bytes === null) return null;
  try {
    return read(JSON.parse(Buffer.from(bytes).toString()));
  } catch {
    return null;
  }
}

function readAnswer(value: unknown): ModelAnswer | null {
  const { text, toolCalls, finishReason, model, usage } = value as Partial<ModelAnswer>;
  const isAnswer =
    typeof text === 'string' &&
    typeof finishReason === 'string' &&
    !['filtered', 'other'].includes(finishKind(finishReason)) &&
    typeof model === 'string' &&
    typeof usage?.inputTokens === 'number' &&
    typeof usage.outputTokens === 'number' &&
    Array.isArray(toolCalls);
  return isAnswer ? (value as ModelAnswer) : null;
}

function readToolResult(value: unknown): ToolResult | null {
  const { ok, text } = value as Partial<ToolResult>;
  return typeof ok === 'boolean' && typeof text === 'string' ? { ok, text } : null;
}
