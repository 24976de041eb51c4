/**
 * One poison job among 64 good ones, with real processes and no settings: 64 done, 1 dead with its
 * cause. A consumer that the poison kills is started again, as a person or a service manager would.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Finished, Project } from '../support/project.ts';

const goodCount = 64;
const startsMax = 3;

interface Case {
  readonly poison: string;
  /** The error code that it ends with. */
  readonly cause: string;
  readonly timeout: string;
  readonly attempts: number;
  /** How often the consumer may have to be started. */
  readonly startsMost: number;
}

/** Time enough to fill the memory of a busy machine. */
const memory = { timeout: '10m', attempts: 2, startsMost: 1 };

const manifest = ({ attempts, timeout }: Case): string => `name: worker
description: Works with a tool that does what the text says.
version: 1.0.0
tools: [./deed.mjs]
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
limits: { timeout: ${timeout} }
retry: { attempts: ${attempts}, delay: 100ms }
`;

/** What the text orders is done inside \`run\`, like the mistake of whoever wrote a tool. */
const tool = `import { setImmediate as turn } from 'node:timers/promises';

export const tool = {
  name: 'deed',
  description: 'Does what the text says.',
  parameters: { type: 'object', required: ['text'], properties: { text: { type: 'string' } } },
  run: async ({ text }) => {
    const kept = [];
    if (text.includes('leaks objects')) for (;;) kept.push(new Array(10_000).fill('x'));
    if (text.includes('leaks buffers')) {
      for (;;) {
        kept.push(Buffer.alloc(1024 * 1024, 1));
        await turn();
      }
    }
    if (text.includes('doubles an array')) for (let all = [1];;) {
      try {
        kept.push(all = all.concat(all));
      } catch {
        // Longer than any array may be: again from the beginning, with less memory left.
        all = [1];
      }
    }
    if (text.includes('loops')) for (;;) kept.length = 0;
    if (text.includes('kills')) process.kill(process.pid, 'SIGKILL');
    return 'This sentence is the result of the tool.';
  },
};
`;

async function projectWith(asked: Case): Promise<Project> {
  const project = await Project.make({ AIQ_PROVIDER: 'offline' });
  const dir = join(project.dir, 'agents', 'worker');
  await mkdir(dir, { recursive: true });
  await project.write('agents/worker/agent.yaml', manifest(asked));
  await project.write('agents/worker/deed.mjs', tool);
  const texts = Array.from({ length: goodCount }, (_, index) => `Job ${index} does its work.`);
  texts.splice(20, 0, `This job ${asked.poison}.`);
  await project.write('jobs.jsonl', texts.map((text) => JSON.stringify({ text })).join('\n'));
  const enqueued = await project.aiq('enqueue', 'worker', '--jsonl', 'jobs.jsonl');
  expect(enqueued, enqueued.stderr).toMatchObject({ code: 0 });
  return project;
}

/** Until the consumer ends by itself: it is done then. */
async function runToTheEnd(project: Project): Promise<{ last: Finished; starts: number }> {
  for (let starts = 1; ; starts++) {
    const last = await project.aiq('run', '--until-empty', '--concurrency', '8', '--json');
    if (last.signal === null || starts === startsMax) return { last, starts };
  }
}

test.each<Case>([
  { poison: 'leaks objects', cause: 'out_of_memory', ...memory },
  { poison: 'leaks buffers', cause: 'out_of_memory', ...memory },
  // One step may be larger than all that is left, and V8 then ends the process before anybody looks.
  { poison: 'doubles an array', cause: 'out_of_memory', ...memory, startsMost: 2 },
  // Each time is as long as the deadline and the grace behind it.
  { poison: 'loops', cause: 'deadline', timeout: '5s', attempts: 1, startsMost: 1 },
  { poison: 'kills its process', cause: 'killed', timeout: '10m', attempts: 2, startsMost: 2 },
])(
  'a job that $poison ends dead as $cause, the 64 others are done, and the consumer is started at most $startsMost times',
  async (asked) => {
    const { poison, cause, attempts, startsMost } = asked;
    const project = await projectWith(asked);
    try {
      const { last, starts } = await runToTheEnd(project);
      expect(last.signal, last.stderr).toBeNull();
      expect(starts).toBeLessThanOrEqual(startsMost);
      const rows = async (state: string) => {
        const listed = await project.aiq(
          'jobs',
          'list',
          '--state',
          state,
          '--limit',
          '100',
          '--json',
        );
        expect(listed, listed.stderr).toMatchObject({ code: 0 });
        return listed.stdout
          .trim()
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line));
      };
      expect(await rows('done')).toHaveLength(goodCount);
      const dead = await rows('dead');
      expect(dead).toMatchObject([{ error: { code: cause }, attempts }]);
      expect(await project.list('out')).toHaveLength(goodCount);
      console.log(`${poison}: ${dead[0].error.message}`);
    } finally {
      await project.remove();
    }
  },
);
