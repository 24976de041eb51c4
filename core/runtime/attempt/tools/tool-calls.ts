/**
 * The tool calls of one attempt, answered under limits: time and size of each result, calls in one
 * turn, bytes in all. Whatever goes wrong inside a tool is reported to the model as text.
 */

import type { Agent, JsonObject, ValueChecker } from '../../../agent/index.ts';
import { messageOf } from '../../../base/index.ts';
import { canonicalJson } from '../../../job-queue/index.ts';
import type { Message, ToolCall, ToolDefinition } from '../../../model/index.ts';
import {
  type KnowledgeBase,
  type LeftOut,
  type Tool,
  type ToolContext,
} from '../../../tools/index.ts';
import { lostText, readJson } from '../../../yaml/index.ts';
import type { PaidOnce } from '../paid-once.ts';
import { resultText, shortened, type ToolResult } from './tool-result.ts';

/** A tool with its arguments' schema compiled. */
export interface ReadyTool {
  readonly tool: Tool;
  readonly check: ValueChecker;
  /** A module of the agent's own, which may cost something or change something. */
  readonly isOwn: boolean;
}

/** What the tools of an agent have in common. */
export interface ToolSet {
  readonly tools: readonly ReadyTool[];
  /** Opened for each attempt, because a thread keeps few of them. */
  readonly openKnowledge: () => KnowledgeBase;
  /** Absolute folder of the configuration. */
  readonly baseDir: string;
}

/** One call as it was made, for the record. */
export interface MadeCall {
  readonly tool: string;
  /** As the model wrote them, shortened. */
  readonly arguments: string;
  readonly ok: boolean;
  readonly bytes: number;
}

export interface ToolCallsOptions {
  readonly set: ToolSet;
  readonly agent: Agent;
  readonly job: ToolContext['job'];
  readonly signal: AbortSignal;
  /** A text as it may be kept. */
  readonly shown: (text: string) => string;
  /** Runs code that may block the thread. */
  readonly blocking: <T>(work: () => T) => T;
  readonly paid: Pick<PaidOnce, 'toolResult'>;
}

/** Calls of one turn that are made. */
export const callsPerTurnMax = 16;

const limits = {
  argumentsBytesMax: 64 * 1024,
  callMs: 30_000,
  resultsBytesMax: 256 * 1024,
  madeMax: 200,
} as const;

export class ToolCalls {
  readonly definitions: readonly ToolDefinition[];
  readonly knowledge: KnowledgeBase;
  readonly #options: ToolCallsOptions;
  readonly #tools: ReadonlyMap<string, ReadyTool>;
  /** By tool and arguments: what was asked before is not done again. */
  readonly #results = new Map<string, Promise<ToolResult>>();
  readonly #made: MadeCall[] = [];
  readonly #queries = new Set<string>();
  #leftOut: readonly LeftOut[] = [];
  #bytesLeft: number = limits.resultsBytesMax;

  constructor(options: ToolCallsOptions) {
    const { tools } = options.set;
    this.#options = options;
    this.knowledge = this.#remembering(options.set.openKnowledge());
    this.#tools = new Map(tools.map((ready) => [ready.tool.name, ready]));
    this.definitions = tools.map(({ tool: { name, description, parameters } }) => ({
      name,
      description,
      parameters,
    }));
  }

  get made(): readonly MadeCall[] {
    return this.#made;
  }

  /** What was searched for, in order. */
  get queries(): readonly string[] {
    return [...this.#queries];
  }

  /** Files that the last search should have read and did not. */
  get leftOut(): readonly LeftOut[] {
    return this.#leftOut;
  }

  /**
   * Answers the calls of one turn, side by side; at most `callsPerTurnMax`.
   * @throws the signal's reason once the attempt was stopped
   */
  async answer(calls: readonly ToolCall[]): Promise<Message[]> {
    const { signal } = this.#options;
    const results = await Promise.all(
      calls.map(async (call) => ({ call, result: await this.#resultOf(call) })),
    );
    signal.throwIfAborted();
    return results.map(({ call, result }) => {
      const affordable = this.#affordable(result);
      this.#note(call, affordable);
      return { role: 'tool', toolCallId: call.id, content: affordable.text };
    });
  }

  #remembering(knowledge: KnowledgeBase): KnowledgeBase {
    return {
      ...knowledge,
      search: async (query, limit) => {
        const result = await knowledge.search(query, limit);
        this.#leftOut = result.leftOut;
        return result;
      },
    };
  }

  async #resultOf(call: ToolCall): Promise<ToolResult> {
    const ready = this.#tools.get(call.name);
    if (ready === undefined) {
      const known = [...this.#tools.keys()].join(', ');
      return refusal(`there is no tool "${shortened(call.name, 80)}"; there is ${known}`);
    }
    const args = this.#options.blocking(() => argumentsOf(call, ready.check));
    if (typeof args === 'string') return refusal(args);
    if (call.name === 'search_files') this.#queries.add(String(args['query']));
    const key = `${call.name} ${canonicalJson(args)}`;
    const known = this.#results.get(key) ?? this.#resultNow(ready, args);
    this.#results.set(key, known);
    return known;
  }

  #resultNow({ tool, isOwn }: ReadyTool, args: JsonObject): Promise<ToolResult> {
    const run = (): Promise<ToolResult> => this.#run(tool, args);
    return isOwn ? this.#options.paid.toolResult(tool.name, args, run) : run();
  }

  async #run(tool: Tool, args: JsonObject): Promise<ToolResult> {
    const { agent, job, set, blocking } = this.#options;
    const { knowledge } = this;
    const { baseDir } = set;
    const signal = AbortSignal.any([this.#options.signal, AbortSignal.timeout(limits.callMs)]);
    const context: ToolContext = { signal, agent, job, baseDir, knowledge };
    try {
      const work = blocking(() => tool.run(args, context));
      return { ok: true, text: resultText(await Promise.race([work, aborted(signal)])) };
    } catch (error) {
      this.#options.signal.throwIfAborted();
      if (signal.aborted) return refusal(`the tool took longer than ${limits.callMs / 1000} s`);
      return refusal(messageOf(error));
    }
  }

  /** The result, while there is room for it. */
  #affordable(result: ToolResult): ToolResult {
    const bytes = Buffer.byteLength(result.text);
    if (bytes > this.#bytesLeft) {
      return refusal('the room for results is used up; answer from what you have');
    }
    this.#bytesLeft -= bytes;
    return result;
  }

  #note({ name, arguments: args }: ToolCall, { ok, text }: ToolResult): void {
    if (this.#made.length === limits.madeMax) return;
    this.#made.push({
      tool: shortened(name, 80),
      arguments: shortened(this.#options.shown(args), 300),
      ok,
      bytes: Buffer.byteLength(text),
    });
  }
}

function refusal(message: string): ToolResult {
  return { ok: false, text: `Error: ${shortened(message, 1_000)}` };
}

/** The checked arguments, or what is wrong with them. */
function argumentsOf({ arguments: text }: ToolCall, check: ValueChecker): JsonObject | string {
  if (Buffer.byteLength(text) > limits.argumentsBytesMax) return 'the arguments are too long';
  let value: unknown;
  try {
    // Some models leave the arguments of a call without any out.
    const read = readJson(text.trim() === '' ? '{}' : text);
    const [first] = read.lost;
    if (first !== undefined) {
      return `the arguments do not fit: ${first.path.join('.')} ${lostText(first.text)}`;
    }
    value = read.value;
  } catch (error) {
    return `the arguments are not JSON: ${(error as Error).message}`;
  }
  const checked = check(value);
  if (checked.ok) return checked.input;
  const problems = checked.problems.map(({ property, message }) => `${property} ${message}`.trim());
  return `the arguments do not fit: ${problems.join('; ')}`;
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
  });
}
