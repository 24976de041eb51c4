/**
 * Joins the chunks of a chat completion stream into one answer. A stream counts only once a finish
 * reason came: the SDK ends the loop of a cut one as if all were well.
 */

import type { ModelAnswer, TokenUsage } from '../model.ts';
import { finishKind } from './finish.ts';
import { withoutReasoning } from './reasoning-block.ts';
import { ToolCallParts } from './tool-call-parts.ts';
import { usageFrom } from './wire-usage.ts';

/** A chunk as servers really send it: nothing is certain, not even the role. */
export interface WireChunk {
  readonly model?: unknown;
  readonly usage?: unknown;
  readonly choices?: unknown;
}

interface WireChoice {
  readonly index?: unknown;
  readonly finish_reason?: unknown;
  readonly delta?: WireDelta | null;
  /** In an answer that is no stream. */
  readonly message?: WireDelta | null;
}

interface WireDelta {
  readonly content?: unknown;
  readonly refusal?: unknown;
  readonly tool_calls?: unknown;
}

/** Goes into records: of sane length, and nothing that cannot be seen. */
const modelName = /^[^\p{Cc}\p{Cf}\p{Cs}]{1,200}$/u;

/** What has arrived of an answer so far. */
export class PartialAnswer {
  text = '';
  refusal = '';
  finishReason: string | null = null;
  chunks = 0;
  /** Bytes of text and tool calls. */
  bytes = 0;
  #model: string;
  #usage: unknown = null;
  readonly #toolCalls = new ToolCallParts();

  constructor(model: string) {
    this.#model = model;
  }

  add(chunk: WireChunk): void {
    this.chunks += 1;
    if (typeof chunk.model === 'string' && modelName.test(chunk.model)) this.#model = chunk.model;
    if (chunk.usage) this.#usage = chunk.usage;
    const choice = firstChoice(chunk.choices);
    if (choice === undefined) return;
    const delta = choice.delta ?? choice.message ?? {};
    this.text += this.#counted(textOf(delta.content));
    this.refusal += this.#counted(textOf(delta.refusal));
    const pieces: readonly unknown[] = Array.isArray(delta.tool_calls) ? delta.tool_calls : [];
    for (const piece of pieces) this.bytes += this.#toolCalls.add(piece);
    this.#finish(choice.finish_reason);
  }

  /** What the call used, as far as it came; `inputBytes` is what an estimate rests on. */
  usage(inputBytes: number): TokenUsage {
    return usageFrom(this.#usage, { input: inputBytes, output: this.bytes });
  }

  /** The finished answer; null while it has no finish reason. Calls of tools not offered are left out. */
  finish(inputBytes: number, offersTools: boolean): ModelAnswer | null {
    if (this.finishReason === null) return null;
    const toolCalls = offersTools ? this.#toolCalls.calls : [];
    // Some servers end a tool call with `stop`.
    const isStop = toolCalls.length > 0 && finishKind(this.finishReason) === 'whole';
    return {
      text: withoutReasoning(this.text),
      toolCalls,
      finishReason: isStop ? 'tool_calls' : this.finishReason,
      model: this.#model,
      usage: this.usage(inputBytes),
    };
  }

  /** Said twice, the bad news counts. */
  #finish(reason: unknown): void {
    if (typeof reason !== 'string' || reason === '' || reason === 'null') return;
    const isReplaceable = this.finishReason === null || finishKind(this.finishReason) === 'whole';
    if (isReplaceable) this.finishReason = reason.slice(0, 100);
  }

  #counted(text: string): string {
    this.bytes += Buffer.byteLength(text);
    return text;
  }
}

/** Other choices are other answers. */
function firstChoice(choices: unknown): WireChoice | undefined {
  if (!Array.isArray(choices)) return undefined;
  return (choices as (WireChoice | null)[]).find(
    (choice): choice is WireChoice =>
      typeof choice === 'object' && choice !== null && (choice.index ?? 0) === 0,
  );
}

/** Text, or a list of text parts. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  const parts = Array.isArray(content) ? (content as ({ readonly text?: unknown } | null)[]) : [];
  return parts.map((part) => (typeof part?.text === 'string' ? part.text : '')).join('');
}
