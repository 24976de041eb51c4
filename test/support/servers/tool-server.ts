/** One attempt of an agent with tools against a real HTTP server whose answers a test writes. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Agent, compileAgent, schemaChecker } from '../../../core/agent/index.ts';
import { createCaller } from '../../../core/model/index.ts';
import type { JobTools } from '../../../core/runtime/attempt/attempt.ts';
import { runJob } from '../../../core/runtime/attempt/job-runner.ts';
import { readPrompts } from '../../../core/runtime/attempt/prompts.ts';
import { openKnowledge, type Tool } from '../../../core/tools/index.ts';
import {
  delta,
  fakeServer,
  goodAnswer,
  type SeenRequest,
  sse,
} from '../../integration/model/fake-server.ts';
import { outputsOf, projectionIn, written } from '../results.ts';
import { fakeJournal, fakeMoney } from '../runtime-fakes.ts';

/** A turn of the model: its answer, or the tools that it calls with their arguments as text. */
export type Turn = string | readonly (readonly [name: string, args: string])[];

export interface SeenMessage {
  readonly role: string;
  readonly content: string;
  readonly tool_call_id?: string;
}

/** What one call was sent. */
export interface SeenCall {
  readonly messages: readonly SeenMessage[];
  readonly tools?: readonly unknown[];
  readonly tool_choice?: string;
}

interface Options {
  readonly agent: Agent;
  readonly tools: readonly Tool[];
  readonly input?: object;
  readonly baseDir: string;
  readonly signal?: AbortSignal;
}

/** Plays the turns, one a call; a function makes them from what was sent. */
export async function runAgainst(
  turns: readonly Turn[] | ((call: SeenCall, count: number) => Turn),
  { agent, tools, input = { text: 'When?' }, baseDir, signal }: Options,
) {
  const calls: SeenCall[] = [];
  const server = await fakeServer((response, seen: SeenRequest, count) => {
    const call = seen.body as unknown as SeenCall;
    calls.push(call);
    const turn = typeof turns === 'function' ? turns(call, count) : (turns[count - 1] ?? 'no more');
    if (typeof turn === 'string') return goodAnswer(response, turn);
    const tool_calls = turn.map(([name, args], index) => ({
      index,
      id: `call_${count}_${index}`,
      function: { name, arguments: args },
    }));
    sse(response, [delta({ tool_calls }), delta({}, 'tool_calls'), '[DONE]']);
    return response.end();
  });
  const root = await mkdtemp(join(tmpdir(), 'aiq-tools-'));
  const projection = projectionIn(root);
  onTestFinished(async () => {
    await server.close();
    await projection.close();
    await rm(root, { recursive: true });
  });
  const ready = await Promise.all(
    tools.map(async (tool) => ({
      tool,
      check: await schemaChecker(tool.parameters),
      isOwn: true,
    })),
  );
  const { provider } = server;
  const made = {
    agent,
    provider,
    model: 'm',
    price: { input: 1, output: 1 },
    outputTokensMax: null,
    rates: null,
    compiled: await compileAgent(agent),
    caller: await createCaller(provider),
    toolSet: {
      tools: ready,
      openKnowledge: () => openKnowledge(agent.knowledge, baseDir),
      baseDir,
    },
  };
  const jobTools: JobTools = {
    idleMs: 5_000,
    answerBytesMax: 1_000_000,
    journal: fakeJournal(),
    money: fakeMoney(),
    agent: async () => made,
    outputs: outputsOf(projection),
    outputDir: () => root,
    blocking: (work) => work(),
  };
  const request = {
    id: 'job1',
    agent: agent.name,
    body: Buffer.from(JSON.stringify({ input })),
    source: 'note',
    createdAtMs: 0,
    attempt: 1,
    isRedelivery: false,
  };
  const attempt = await runJob(jobTools, request, signal ?? new AbortController().signal);
  const result = await written(projection, 'job1', attempt);
  const { prompts } = attempt;
  const sent = prompts === null ? null : readPrompts(prompts);
  return { result, calls, root, provenance: attempt.ok ? attempt.provenance : null, sent };
}

/** What the tools told the model in answer to its latest calls. */
export function toldIn(call: SeenCall | undefined): string[] {
  const messages = call?.messages ?? [];
  const from = messages.findLastIndex(({ role }) => role === 'assistant') + 1;
  return messages.slice(from).flatMap(({ role, content }) => (role === 'tool' ? [content] : []));
}
