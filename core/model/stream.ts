/**
 * Joins the chunks of a chat completion stream into one answer. A stream counts only once a finish
 * reason came: the SDK ends the loop of a cut one as if all were well.
 */

import type { ModelAnswer, ToolCall } from './model.ts';

/** A chunk as servers really send it: nothing is certain, not even the role. */
export interface WireChunk {
  readonly model?: unknown;
  readonly usage?: WireUsage | null;
  readonly choices?: readonly WireChoice[] | null;
}

interface WireChoice {
  readonly finish_reason?: string | null;
  readonly delta?: WireDelta | null;
  /** In an answer that is no stream. */
  readonly message?: WireDelta | null;
}

interface WireDelta {
  readonly content?: unknown;
  readonly refusal?: unknown;
  readonly tool_calls?: readonly WireToolCall[] | null;
}

interface WireToolCall {
  readonly index?: number;
  readonly id?: string;
  readonly function?: { readonly name?: string; readonly arguments?: unknown };
}

interface WireUsage {
  readonly prompt_tokens?: number;
  readonly completion_tokens?: number;
  /** The offline endpoint says so itself. */
  readonly estimated?: boolean;
}

interface PartialToolCall {
  id: string;
  name: string;
  arguments: string;
}

/** What has arrived of an answer so far. */
export class PartialAnswer {
  text = '';
  refusal = '';
  finishReason: string | null = null;
  chunks = 0;
  /** Bytes of text and arguments. */
  bytes = 0;
  #model: string;
  #usage: WireUsage | null = null;
  #toolCalls: PartialToolCall[] = [];

  constructor(model: string) {
    this.#model = model;
  }

  add(chunk: WireChunk): void {
    this.chunks += 1;
    if (typeof chunk.model === 'string' && chunk.model !== '') this.#model = chunk.model;
    if (chunk.usage) this.#usage = chunk.usage;
    const choice = chunk.choices?.[0];
    if (choice === undefined) return;
    const delta = choice.delta ?? choice.message ?? {};
    this.text += this.#counted(textOf(delta.content));
    this.refusal += this.#counted(textOf(delta.refusal));
    for (const part of delta.tool_calls ?? []) this.#addToolCall(part);
    if (choice.finish_reason) this.finishReason = choice.finish_reason;
  }

  /** The finished answer; `inputBytes` is what the estimate rests on when the server counted nothing. */
  finish(finishReason: string, inputBytes: number): ModelAnswer {
    const toolCalls: ToolCall[] = this.#toolCalls.map((call, index) => ({
      ...call,
      id: call.id === '' ? `call_${index}` : call.id,
    }));
    // Some servers end a tool call with `stop`.
    const reason = toolCalls.length > 0 && finishReason === 'stop' ? 'tool_calls' : finishReason;
    const { prompt_tokens, completion_tokens, estimated } = this.#usage ?? {};
    return {
      text: this.text,
      toolCalls,
      finishReason: reason,
      model: this.#model,
      usage: {
        inputTokens: prompt_tokens ?? estimatedTokens(inputBytes),
        outputTokens: completion_tokens ?? estimatedTokens(this.bytes),
        estimated:
          prompt_tokens === undefined || completion_tokens === undefined || estimated === true,
      },
    };
  }

  #addToolCall(part: WireToolCall): void {
    const last = this.#toolCalls.length - 1;
    // Without an index a new id starts the next call, and anything else goes on with the last.
    const index = part.index ?? (part.id === undefined ? Math.max(0, last) : last + 1);
    if (!Number.isInteger(index) || index < 0 || index > last + 1) return;
    const call = (this.#toolCalls[index] ??= { id: '', name: '', arguments: '' });
    if (part.id) call.id = part.id;
    if (part.function?.name) call.name = part.function.name;
    const args = part.function?.arguments;
    // Some servers send the arguments as an object, and at once.
    const text = typeof args === 'object' && args !== null ? JSON.stringify(args) : textOf(args);
    call.arguments += this.#counted(text);
  }

  #counted(text: string): string {
    this.bytes += Buffer.byteLength(text);
    return text;
  }
}

/** Four bytes a token: what is charged when a server sends no usage. */
export function estimatedTokens(bytes: number): number {
  return Math.ceil(bytes / 4);
}

/** Text, or a list of text parts. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: { text?: unknown }) => textOf(part.text)).join('');
}
