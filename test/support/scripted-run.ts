/** One job of the agent `echo` against a model that plays its turns, one a call. */

import { compileAgent } from '../../core/agent/index.ts';
import type { RateTerms } from '../../core/job-queue/index.ts';
import {
  type Allowance,
  type CallGate,
  type ModelAnswer,
  type ModelCall,
  ModelError,
  type Price,
  type Provider,
  requestBody,
} from '../../core/model/index.ts';
import type { JobTools } from '../../core/runtime/attempt/attempt.ts';
import { runJob } from '../../core/runtime/attempt/job-runner.ts';
import type { Journal } from '../../core/runtime/attempt/journal.ts';
import type { Money } from '../../core/runtime/attempt/money.ts';
import type { Projection } from '../../core/runtime/outputs/projection.ts';
import { outputsOf, written } from './results.ts';
import { type agentOf, fakeJournal, fakeMoney, threadAgentOf } from './runtime-fakes.ts';

export type AgentParts = Parameters<typeof agentOf>[0];
export type Turn = Partial<ModelAnswer> | Error | ((signal: AbortSignal) => Promise<ModelAnswer>);

export const answer = (parts: Partial<ModelAnswer> = {}): ModelAnswer => ({
  text: 'the answer',
  toolCalls: [],
  finishReason: 'stop',
  model: 'test-model',
  usage: { inputTokens: 10, outputTokens: 5, estimated: false },
  ...parts,
});

export interface ScriptedRun {
  readonly agent?: AgentParts;
  readonly input?: unknown;
  readonly body?: string;
  readonly id?: string;
  readonly signal?: AbortSignal;
  readonly journal?: Journal;
  readonly money?: Money;
  /** Null for a model without one. */
  readonly price?: Price | null;
  readonly provider?: Partial<Provider>;
  readonly isRedelivery?: boolean;
  readonly contextTokens?: { readonly [model: string]: number };
  readonly rates?: RateTerms;
  /** What the server says of its limits in each of its answers. */
  readonly allowances?: readonly Allowance[];
}

export async function scriptedRun(
  { dir, projection }: { readonly dir: string; readonly projection: Projection },
  turns: readonly Turn[],
  options: ScriptedRun = {},
) {
  const calls: ModelCall[] = [];
  const { provider, ...ready } = threadAgentOf(options.agent);
  const { contextTokens = {} } = options;
  const compiled = await compileAgent(ready.agent);
  const caller = {
    call: async (request: ModelCall, signal: AbortSignal, gate?: CallGate) => {
      await gate?.open(requestBody(request));
      const turn = turns[calls.length];
      calls.push(request);
      if (turn === undefined) throw new Error('the script has no further turn');
      gate?.heard(options.allowances ?? []);
      if (turn instanceof ModelError) gate?.failed(turn);
      if (turn instanceof Error) throw turn;
      return typeof turn === 'function' ? turn(signal) : answer(turn);
    },
  };
  const tools: JobTools = {
    idleMs: 1000,
    answerBytesMax: 1_000_000,
    journal: options.journal ?? fakeJournal(),
    money: options.money ?? fakeMoney(),
    agent: async (name) =>
      name === 'echo'
        ? {
            ...ready,
            price: options.price === undefined ? { input: 2, output: 10 } : options.price,
            rates: options.rates ?? null,
            provider: { ...provider, ...options.provider, contextTokens },
            compiled,
            caller,
            toolSet: null,
          }
        : null,
    outputs: outputsOf(projection),
    outputDir: () => dir,
    blocking: (work) => work(),
  };
  const body = options.body ?? JSON.stringify({ input: options.input ?? { text: 'hello' } });
  const request = {
    id: options.id ?? 'job1',
    agent: 'echo',
    body: Buffer.from(body),
    source: 'note',
    createdAtMs: 0,
    attempt: 1,
    isRedelivery: options.isRedelivery ?? false,
  };
  const made = await runJob(tools, request, options.signal ?? new AbortController().signal);
  const result = await written(projection, request.id, made);
  return { made, result, calls };
}
