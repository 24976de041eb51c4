/** Jobs of two model calls with a slow tool between them, and what of each was paid for so far. */

import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Agent, loadAgent } from '../../core/agent/index.ts';
import { type Job, openQueue } from '../../core/job-queue/index.ts';
import { paidAnswers } from './paid-answers.ts';
import { Project } from './project.ts';

export const steppedJobs = 24;
export const callsOfJob = 2;

const manifest = `name: worker
description: Works with a tool that takes its time.
version: 1.0.0
tools: [./slow.mjs]
instructions: Use the tool.
prompt: '{{input.text}}'
input:
  primary: text
  schema:
    type: object
    required: [text]
    properties: { text: { type: string } }
output:
  format: text
  file: '{{job.id}}.txt'
`;

const tool = `import { setTimeout as sleep } from 'node:timers/promises';

export const tool = {
  name: 'slow',
  description: 'Takes its time.',
  parameters: { type: 'object', required: ['text'], properties: { text: { type: 'string' } } },
  run: async ({ text }) => {
    // Each job takes another time, so that they are never all at the same step.
    await sleep(100 + ((Number(/\\d+/.exec(text)?.[0] ?? 0) * 37) % 300));
    return \`This sentence is what the tool says to \${text}\`;
  },
};
`;

const textOf = (index: number, seed: number): string => `Job ${index} of round ${seed} works.`;

export interface SteppedProject {
  readonly project: Project;
  readonly agent: Agent;
  /** By which the endpoint knows the calls of each job. */
  readonly digests: readonly string[];
}

/** A project whose jobs all wait. */
export async function steppedProject(
  env: Record<string, string>,
  seed: number,
): Promise<SteppedProject> {
  const project = await Project.make(env);
  const agents = join(project.dir, 'agents');
  await mkdir(join(agents, 'worker'), { recursive: true });
  await project.write('agents/worker/agent.yaml', manifest);
  await project.write('agents/worker/slow.mjs', tool);
  const texts = Array.from({ length: steppedJobs }, (_, index) => textOf(index, seed));
  await project.write('jobs.jsonl', texts.map((text) => JSON.stringify({ text })).join('\n'));
  const enqueued = await project.aiq('enqueue', 'worker', '--jsonl', 'jobs.jsonl');
  if (enqueued.code !== 0) throw new Error(enqueued.stderr);
  return { project, agent: await loadAgent('worker', [agents]), digests: texts.map(digestOf) };
}

/** By digest: the answers in the journal of each job that has no result yet. */
export async function paidSoFar(
  { project, agent }: SteppedProject,
  model: string,
): Promise<Map<string, number>> {
  const broker = `file:${join(project.dir, '.aiq')}`;
  const queue = await openQueue({ broker, tokenFile: null, clientName: 'test' });
  const paid = new Map<string, number>();
  try {
    const { jobs } = await queue.list({ queue: 'worker', limit: 1000 });
    for (const { id } of jobs.filter(({ state }) => state !== 'done')) {
      const [found] = await queue.inspect(id, { withJob: true });
      if (!found?.job) throw new Error(`job ${id} has no body`);
      const digest = digestOf(inputText(found.job));
      paid.set(digest, await paidAnswers(queue, found.job, { agent, model }));
    }
    return paid;
  } finally {
    await queue.close();
  }
}

function inputText({ body }: Job): string {
  return (JSON.parse(Buffer.from(body).toString()) as { input: { text: string } }).input.text;
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
