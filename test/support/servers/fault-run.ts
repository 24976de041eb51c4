/** Runs a job into a fault as a consumer does: delivery by delivery, as the class of each failure says. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Agent, compileAgent, schemaChecker } from '../../../core/agent/index.ts';
import { createCaller, type Provider } from '../../../core/model/index.ts';
import { runJob } from '../../../core/runtime/attempt/job-runner.ts';
import type { JobFailure } from '../../../core/runtime/attempt/result.ts';
import { type JobUsage, noJobUsage, sumOfUsage } from '../../../core/runtime/attempt/usage.ts';
import type { Projection } from '../../../core/runtime/outputs/projection.ts';
import { defineTool } from '../../../core/tools/index.ts';
import type { Fault, FaultAgent, FaultEnd } from '../faults/index.ts';
import { outputsOf, projectionIn, type WrittenResult, written } from '../results.ts';
import { agentOf, fakeJournal, fakeMoney } from '../runtime-fakes.ts';

export interface FaultRun {
  readonly end: FaultEnd;
  readonly message: string;
  readonly usage: JobUsage;
  /** Requests that held money. */
  readonly holds: number;
  /** Those of them that were not charged once. */
  readonly openHolds: readonly number[];
  /** The job's first file; null without one. */
  readonly content: string | null;
}

const attemptsMax = 3;
const patientMs = 600_000;
const probe = defineTool({
  name: 'probe',
  description: 'Probes.',
  parameters: { type: 'object', required: ['q'], properties: { q: { type: 'integer' } } },
  run: async ({ q }) => `found ${String(q)}`,
});

const schema = {
  type: 'object',
  required: ['n', 'list'],
  properties: { n: { type: 'integer' }, list: { type: 'array', items: { type: 'integer' } } },
};
const json = { format: 'json' as const, schema };

const agents: Record<FaultAgent, Agent> = {
  text: agentOf(),
  tuned: agentOf({
    model: { id: null, provider: null, options: { temperature: 0.2, maxOutputTokens: 32_000 } },
  }),
  limited: agentOf(),
  json: agentOf({ output: json }),
  strict: agentOf({ output: { ...json, schema: { ...schema, additionalProperties: false } } }),
  files: agentOf({ output: { format: 'files' } }),
  tools: agentOf({ tools: ['probe'], limits: { maxSteps: 5 } }),
};

/** `dir` is a folder of its own. */
export async function runIntoFault(
  fault: Pick<Fault, 'name' | 'agent' | 'timeoutMs' | 'idleMs'>,
  provider: Provider,
  dir: string,
): Promise<FaultRun> {
  const projection = projectionIn(dir);
  try {
    const setting = await attempts({ fault, provider, dir, projection });
    let usage = noJobUsage;
    const { attempt, holds, openHolds } = setting;
    let [failures, returns] = [0, 0];
    for (;;) {
      const result = await attempt(failures + 1, failures + returns > 0);
      usage = sumOfUsage(usage, result.usage);
      if (!result.ok && ends[result.failure.class] === null) failures += 1;
      else returns += 1;
      const told = endOf(result, { failures, returns });
      if (told === null) continue;
      const content = await contentOf(result, dir);
      return { ...told, usage, holds: holds(), openHolds: openHolds(), content };
    }
  } finally {
    await projection.close();
  }
}

interface Setting {
  readonly fault: Pick<Fault, 'name' | 'agent' | 'timeoutMs' | 'idleMs'>;
  readonly provider: Provider;
  readonly dir: string;
  readonly projection: Projection;
}

async function attempts({ fault, provider, dir, projection }: Setting) {
  const { name, agent: kind = 'text', timeoutMs = patientMs, idleMs = patientMs } = fault;
  const agent = { ...agents[kind], limits: { ...agents[kind].limits, timeoutMs } };
  const tools = [{ tool: probe, check: await schemaChecker(probe.parameters), isOwn: true }];
  const ready = {
    agent,
    provider,
    model: name,
    price: { input: 1, cachedInput: 0.1, output: 10 },
    outputTokensMax: 1_000_000,
    rates: null,
    compiled: await compileAgent(agent),
    caller: await createCaller(provider),
    toolSet: kind === 'tools' ? { tools, openKnowledge: () => ({}) as never, baseDir: dir } : null,
  };
  const money = fakeMoney();
  const journal = fakeJournal();
  const jobTools = {
    idleMs,
    answerBytesMax: 1_000_000,
    journal,
    money,
    agent: async () => ready,
    outputs: outputsOf(projection),
    outputDir: () => dir,
    blocking: <T>(work: () => T) => work(),
  };
  const text = kind === 'limited' ? 'word '.repeat(50_000) : 'hello';
  const attempt = async (number: number, isRedelivery: boolean): Promise<WrittenResult> => {
    const made = await runJob(
      jobTools,
      {
        id: 'job1',
        agent: agent.name,
        body: Buffer.from(JSON.stringify({ input: { text } })),
        source: 'note',
        createdAtMs: 0,
        attempt: number,
        isRedelivery,
      },
      new AbortController().signal,
    );
    return written(projection, 'job1', made);
  };
  const openHolds = (): number[] => {
    const ended = [...money.charged, ...journal.charges].map(({ hold }) => hold);
    return money.reserved
      .map(({ hold }) => hold)
      .filter((hold) => ended.filter((one) => one === hold).length !== 1);
  };
  return { attempt, holds: () => money.reserved.length, openHolds };
}

/** What a failure of each class comes to while no other job tells more; null: tried again, charged. */
const ends: Record<JobFailure['class'], 'dead' | 'again' | 'held' | 'suspect' | null> = {
  transient: null,
  permanent: 'dead',
  throttled: 'again',
  unavailable: 'again',
  blocked: 'suspect',
  misconfigured: 'held',
  exhausted: 'held',
  aborted: 'again',
  parked: 'held',
};

/** Null while the job goes on. */
function endOf(
  result: WrittenResult,
  { failures, returns }: { readonly failures: number; readonly returns: number },
): { readonly end: FaultEnd; readonly message: string } | null {
  if (result.ok) return { end: 'done', message: '' };
  const { class: kind, code, message } = result.failure;
  const end = ends[kind];
  if (end === null) return failures === attemptsMax ? { end: `dead ${code}`, message } : null;
  if (end === 'again' && returns < attemptsMax) return null;
  return { end: `${end} ${code}`, message };
}

async function contentOf(result: WrittenResult, dir: string): Promise<string | null> {
  const file = result.ok ? result.files[0] : undefined;
  return file === undefined ? null : readFile(join(dir, file), 'utf8');
}
