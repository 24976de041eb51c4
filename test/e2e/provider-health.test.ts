/** A provider that fails holds its jobs, charges none of them, and goes on once it is mended. */

import { afterEach, describe, expect, test } from 'vitest';
import { type Finished, Project, until } from '../support/project.ts';
import { MoodyServer, refuse } from '../support/servers/moody-server.ts';

/** The whole programme, `npm run test:outage`, takes 2,000 jobs and a server that is away for a minute. */
const jobsMax = Number(process.env['AIQ_HEALTH_JOBS'] ?? 120);
const awayMs = Number(process.env['AIQ_HEALTH_AWAY_MS'] ?? 3_000);
const deadlineMs = 300_000;
const concurrency = 8;

const open: { server: MoodyServer; project: Project }[] = [];
afterEach(async () => {
  for (const { server, project } of open.splice(0)) {
    await project.remove();
    await server.goAway();
  }
});

async function set(jobs: number) {
  const server = await MoodyServer.start();
  const project = await Project.make();
  open.push({ server, project });
  await configure(project, server, { model: server.model, key: server.key });
  const lines = Array.from({ length: jobs }, (_, at) => JSON.stringify({ text: `Text ${at}.` }));
  await project.write('jobs.jsonl', lines.join('\n'));
  const enqueued = await project.aiq('enqueue', 'summarize', '--jsonl', 'jobs.jsonl');
  expect(enqueued.code, enqueued.stderr).toBe(0);
  return { server, project };
}

async function configure(
  project: Project,
  server: MoodyServer,
  { model, key, outage = '10m' }: { model: string; key: string; outage?: string },
): Promise<void> {
  await project.write('.env', `MOODY_KEY=${key}\n`);
  await project.write(
    'aiq.config.yaml',
    `provider: moody
model: ${model}
providers:
  moody:
    baseURL: ${server.baseURL}
    apiKey: \${env:MOODY_KEY}
run:
  concurrency: ${concurrency}
  outage: ${outage}
`,
  );
}

interface Job {
  readonly state: string;
  readonly attempts: number;
  readonly error: { readonly code: string } | null;
}

async function jobsOf(project: Project): Promise<Job[]> {
  const { stdout } = await project.aiq('jobs', 'list', '--json', '--limit', '5000');
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Job);
}

describe('a consumer that runs on', () => {
  test(`${jobsMax} jobs outlive a server that is away, a model that is renamed and a key that changes`, {
    timeout: 2 * deadlineMs,
  }, async () => {
    const { server, project } = await set(jobsMax);
    const running = project.start('run');
    let stderr = '';
    running.child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const calls = (share: number) =>
      until(`a ${share} of the calls`, async () => server.calls >= jobsMax * share, deadlineMs);
    const says = (text: RegExp) =>
      until(`"${text.source}"`, async () => text.test(stderr), deadlineMs);

    await calls(0.25);
    await server.goAway();
    await says(
      /held, nothing is charged: .*ECONNREFUSED|held, nothing is charged: .*connection failed/,
    );
    await new Promise((resolve) => setTimeout(resolve, awayMs));
    await server.comeBack();
    await says(/answers again/);

    await calls(0.5);
    server.model = 'model-2';
    await says(/held, nothing is charged: .*the model is not there/);
    await configure(project, server, { model: 'model-2', key: 'key-1' });
    await says(/read again: used from now on/);

    await calls(0.75);
    server.key = 'key-2';
    await says(/held, nothing is charged: .*the key was refused/);
    await configure(project, server, { model: 'model-2', key: 'key-2' });

    const done = async () => (await project.list('out', 'summaries')).length === jobsMax;
    await until('all files', done, deadlineMs);
    running.child.kill('SIGTERM');
    const ended = await running.finished;
    expect(ended.code, ended.stderr).toBe(0);
    const jobs = await jobsOf(project);
    expect(jobs).toHaveLength(jobsMax);
    expect(jobs.filter(({ state, attempts }) => state !== 'done' || attempts > 0)).toEqual([]);
    // Each of the three finds up to as many calls under way as there are slots, and a few trials.
    expect(server.calls).toBeLessThanOrEqual(jobsMax + 3 * concurrency + 12);
    console.log(`${jobsMax} jobs, ${server.calls} calls, ${server.looks} free looks`);
  });

  test('one job that the server cannot do is charged and dies alone, after all others', async () => {
    const { server, project } = await set(60);
    // Some of the others wait, and one of them is answered behind each failure of the bad one.
    const waiting: (() => void)[] = [];
    let failures = 0;
    server.mood = (response, prompt) => {
      if (!prompt.includes('Text 3.')) {
        if (failures >= 3 || waiting.length >= concurrency / 2) return false;
        return new Promise((resolve) => waiting.push(() => resolve(false)));
      }
      refuse(response, 500, { message: 'this one kills me' });
      failures += 1;
      setTimeout(
        () => waiting.splice(0, failures < 3 ? 1 : waiting.length).forEach((go) => go()),
        500,
      );
      return true;
    };
    const ended = await project.aiq('run', '--until-empty');
    expect(ended.code, ended.stderr).toBe(9);
    const jobs = await jobsOf(project);
    const ends = ended.stderr.split('\n').filter((line) => /^(ok|dead) /.test(line));
    expect(ends.at(-1)).toMatch(/^dead /);
    const dead = jobs.filter(({ state }) => state !== 'done');
    expect(dead).toMatchObject([{ state: 'dead', error: { code: 'server_error' }, attempts: 4 }]);
    expect(jobs.filter(({ attempts }) => attempts > 0)).toHaveLength(1);
  });
});

describe('a run that ends by itself', () => {
  const stays = (ended: Finished) => {
    expect(ended.code, ended.stderr).toBe(4);
    expect(ended.stderr).toMatch(/no attempt was charged/);
  };

  test.each([
    ['a wrong key', { model: 'model-1', key: 'wrong' }, /the key was refused/],
    ['a wrong model', { model: 'wrong', key: 'key-1' }, /the model is not there/],
  ])(
    'says %s at once and exits with 4, and the same command goes on once it is mended',
    async (_, config, said) => {
      const { server, project } = await set(20);
      await configure(project, server, config);
      const ended = await project.aiq('run', '--until-empty');
      stays(ended);
      expect(ended.stderr).toMatch(said);
      expect(server.calls).toBeLessThanOrEqual(concurrency);
      await configure(project, server, { model: 'model-1', key: 'key-1' });
      const mended = await project.aiq('run', '--until-empty');
      expect(mended.code, mended.stderr).toBe(0);
      expect((await jobsOf(project)).filter(({ attempts }) => attempts > 0)).toEqual([]);
    },
  );

  test('waits for a server that is away only as long as run.outage says', async () => {
    const { server, project } = await set(20);
    await configure(project, server, { model: server.model, key: server.key, outage: '2s' });
    await server.goAway();
    const ended = await project.aiq('run', '--until-empty');
    stays(ended);
    expect(ended.stderr).toMatch(/connection failed/);
    const waited = await project.aiq('enqueue', 'summarize', '--text', 'Waits.', '--wait');
    expect(waited.code, waited.stderr).toBe(4);
  });
});
