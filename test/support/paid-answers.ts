/** How much of a job stands in its journal, found out by the very code that takes it from there. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Agent, compileAgent, schemaChecker } from '../../core/agent/index.ts';
import type { Job, JobQueue } from '../../core/job-queue/index.ts';
import { runJob } from '../../core/runtime/attempt/job-runner.ts';
import { loadTools, openKnowledge } from '../../core/tools/index.ts';
import { fakeMoney } from './runtime-fakes.ts';

const provider = {
  name: 'nobody',
  kind: 'compatible',
  baseURL: 'http://127.0.0.1:1/v1',
  apiKey: 'none',
  defaultModel: 'none',
} as const;

/**
 * The number of the model's answers that the job would not buy again: works on it, with nobody to
 * buy from, until something is missing.
 */
export async function paidAnswers(
  queue: Pick<JobQueue, 'journalGet'>,
  job: Job,
  { agent, model }: { agent: Agent; model: string },
): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), 'aiq-paid-'));
  const tools = await loadTools(agent);
  const ready = {
    agent,
    provider,
    model,
    compiled: await compileAgent(agent),
    caller: { call: () => Promise.reject(new Error('nobody to buy from')) },
    toolSet: {
      tools: await Promise.all(
        tools.map(async (tool) => ({
          tool: { ...tool, run: () => Promise.reject(new Error('nothing is done')) },
          check: await schemaChecker(tool.parameters),
          isOwn: true,
        })),
      ),
      openKnowledge: () => openKnowledge([], dir),
      baseDir: dir,
    },
  };
  let answers = 0;
  try {
    const { input } = JSON.parse(Buffer.from(job.body).toString()) as { input: unknown };
    await runJob(
      {
        idleMs: 1_000,
        answerBytesMax: 1_000_000,
        journal: {
          get: async (callHash) => {
            const value = await queue.journalGet(job.id, callHash);
            if (value !== null && Buffer.from(value).includes('"finishReason"')) answers += 1;
            return value;
          },
          // What is made up here stays here.
          put: async (_, value) => value,
        },
        money: fakeMoney(),
        agent: async () => ({
          ...ready,
          price: null,
          outputTokensMax: null,
          rates: null,
          toolSet: tools.length === 0 ? null : ready.toolSet,
        }),
        outputs: {
          find: async () => ({ result: null, isAfterExtract: false }),
          check: async () => null,
          prompts: async () => null,
        },
        outputDir: () => dir,
        blocking: (work) => work(),
      },
      { ...job, body: Buffer.from(JSON.stringify({ input })), attempt: 1, isRedelivery: true },
      new AbortController().signal,
    );
    return answers;
  } finally {
    await rm(dir, { recursive: true });
  }
}
