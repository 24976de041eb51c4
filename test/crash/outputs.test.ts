/**
 * kill -9 of `aiq run` at random moments while it writes results of several files each, and of the broker
 * now and then: in the end every result is complete, once, and none is half; nothing is paid twice but
 * what was on its way when a process died.
 *
 * The whole programme, 200 kills over 2,000 jobs: `npm run test:crash -- --outputs 200`.
 */

import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openQueue } from '../../core/job-queue/index.ts';
import { EndpointProcess, Project } from '../support/project.ts';
import { randomOf } from '../support/random.ts';

const kills = Number(process.env['AIQ_CRASH_OUTPUTS'] ?? 4);
const seed = Number(process.env['AIQ_CRASH_SEED'] ?? 1);
const jobCount = 10 * kills;
const filesOfJob = 3;
const concurrency = 8;
const runArgs = ['run', '--until-empty', '--concurrency', String(concurrency), '--json'];

const manifest = `name: notes
description: Writes several files.
version: 1.0.0
instructions: Write the files that the text names.
prompt: '{{input.text}}'
input:
  primary: text
  schema:
    type: object
    required: [text]
    properties: { text: { type: string } }
output: { format: files, file: 'notes/{{job.id}}' }
`;

let endpoint: EndpointProcess;
let project: Project;
beforeAll(async () => {
  endpoint = await EndpointProcess.start('aiq-offline?latency=20ms');
  project = await Project.make(endpoint.env);
  await mkdir(join(project.dir, 'agents', 'notes'), { recursive: true });
  await project.write('agents/notes/agent.yaml', manifest);
  const lines = Array.from({ length: jobCount }, (_, at) => {
    const text = `Job ${at} of seed ${seed} writes one.md, two.md and deep/three.md. `.repeat(20);
    return JSON.stringify({ text });
  });
  await project.write('jobs.jsonl', lines.join('\n'));
  await project.succeed('enqueue', 'notes', '--jsonl', 'jobs.jsonl');
});
afterAll(async () => {
  await project.remove();
  await endpoint.stop();
});

/** Runs until so many jobs were reported, then kills, a moment later. True when it ended by itself. */
async function killAfter(reports: number, moreMs: number, broker: boolean): Promise<boolean> {
  const { child, finished } = project.start(...runArgs);
  let lines = 0;
  const enough = new Promise<void>((resolve) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      lines += chunk.toString().split('\n').length - 1;
      if (lines >= reports) resolve();
    });
  });
  await Promise.race([enough, finished]);
  await new Promise((resolve) => setTimeout(resolve, moreMs));
  const pid = broker ? await project.brokerPid() : null;
  if (pid !== null) process.kill(pid, 'SIGKILL');
  child.kill('SIGKILL');
  return (await finished).signal === null;
}

async function filesIn(...path: string[]): Promise<string[]> {
  const root = join(project.dir, ...path);
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}

test(`${kills} kills over ${jobCount} jobs: complete, once, none half`, async () => {
  const random = randomOf(seed);
  let killed = 0;
  for (let round = 0; round < kills; round++) {
    const isOver = await killAfter(1 + Math.floor(random() * 14), random() * 60, round % 5 === 4);
    if (isOver) break;
    killed++;
  }
  const last = await project.aiq(...runArgs);
  expect(last, last.stderr).toMatchObject({ code: 0 });

  const found = await filesIn('out');
  const results = found.filter((path) => path.startsWith('notes/'));
  expect(results).toHaveLength(filesOfJob * jobCount);
  expect(found.length - results.length).toBeLessThanOrEqual(5);

  const broker = `file:${join(project.dir, '.aiq')}`;
  const queue = await openQueue({ broker, tokenFile: null, clientName: 'test' });
  try {
    expect(await queue.unwrittenFolders()).toEqual([]);
    const { jobs } = await queue.list({ state: 'done', limit: 10_000 });
    expect(jobs).toHaveLength(jobCount);
    const named = new Set<string>();
    for (const { id, output } of jobs) {
      expect(output).toBe('written');
      const kept = await queue.output(id);
      expect(kept?.files).toHaveLength(filesOfJob);
      for (const file of kept?.files ?? []) {
        const { path } = file;
        named.add(path);
        const there = await readFile(join(project.dir, 'out', path));
        expect(there.equals(await file.content()), `${path} is not what was settled`).toBe(true);
      }
    }
    expect(named.size).toBe(filesOfJob * jobCount);
  } finally {
    await queue.close();
  }
  const calls = (await endpoint.started()).length;
  expect(calls).toBeGreaterThanOrEqual(jobCount);
  expect(calls).toBeLessThanOrEqual(jobCount + concurrency * killed);
  console.log(
    `seed ${seed}: ${killed} kills, ${jobCount} jobs, ${calls} calls, ${found.length} files`,
  );
});
