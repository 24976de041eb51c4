/** `run.concurrency` bounds calls and leases, however many results are still being written. */

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { Project } from '../support/project.ts';
import { MoodyServer } from '../support/servers/moody-server.ts';

const jobs = 80;
const concurrency = 4;

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

test('no more calls are under way, and no more jobs leased, than there are places', async () => {
  const server = await MoodyServer.start();
  closers.push(() => server.goAway());
  let underWay = 0;
  let most = 0;
  server.mood = async () => {
    underWay += 1;
    most = Math.max(most, underWay);
    await sleep(100);
    underWay -= 1;
    return false as const;
  };
  const project = await Project.make();
  closers.push(() => project.remove());
  await project.write('.env', `MOODY_KEY=${server.key}\n`);
  await project.write(
    'aiq.config.yaml',
    `provider: moody
model: ${server.model}
providers:
  moody:
    baseURL: ${server.baseURL}
    apiKey: \${env:MOODY_KEY}
run:
  concurrency: ${concurrency}
`,
  );
  const lines = Array.from({ length: jobs }, (_, at) => JSON.stringify({ text: `Text ${at}.` }));
  await project.write('jobs.jsonl', lines.join('\n'));
  const enqueued = await project.aiq('enqueue', 'summarize', '--jsonl', 'jobs.jsonl');
  expect(enqueued.code, enqueued.stderr).toBe(0);
  const running = project.start('run', '--until-empty', '-q');
  const state = { isOver: false };
  const over = running.finished.then((ended) => {
    state.isOver = true;
    return ended;
  });
  let mostLeased = 0;
  while (!state.isOver) {
    const { stdout } = await project.aiq('queues', 'list', '--json');
    const leased = /"leased":(\d+)/.exec(stdout)?.[1];
    mostLeased = Math.max(mostLeased, Number(leased ?? 0));
  }
  const ran = await over;
  expect(ran.code, ran.stderr).toBe(0);
  expect(server.calls).toBe(jobs);
  expect(await project.list('out', 'summaries')).toHaveLength(jobs);
  expect(mostLeased).toBeGreaterThan(0);
  expect(mostLeased).toBeLessThanOrEqual(concurrency);
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(concurrency);
});
