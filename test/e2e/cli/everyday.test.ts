/** What an operator does with jobs and queues: one project, one broker, real processes. */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Finished, Project } from '../../support/project.ts';
import { type FaultServer, faultServer } from '../../support/servers/fault-server.ts';

let project: Project;
let server: FaultServer;

beforeAll(async () => {
  server = await faultServer();
  project = await Project.make({ ...server.env });
  await project.write('aiq.config.yaml', 'provider: offline\n');
});

afterAll(async () => {
  await project.remove();
  await server.close();
});

const succeed = (...args: string[]): Promise<Finished> => project.succeed(...args);

/** Adds a job under a key and returns its short id. */
async function add(id: string, ...args: string[]): Promise<string> {
  const text = `The ${id} mill burned in 1901. It was rebuilt. It shut.`;
  return (await succeed('enqueue', 'summarize', '--text', text, '--id', id, ...args)).stdout.trim();
}

const die = ['run', '--until-empty', '--provider', 'openai', '--model', 'aiq-offline?error=400'];

async function json(...args: string[]): Promise<Record<string, unknown>[]> {
  const { stdout } = await succeed(...args, '--json');
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('jobs', () => {
  test('a done one gives its result, its files and what was sent', async () => {
    const id = await add('first');
    await succeed('run', '--until-empty');
    const result = await succeed('jobs', 'result', id.slice(0, 6));
    const [path = ''] = (await succeed('jobs', 'result', id, '--path')).stdout.split('\n');
    expect(path).toBe(`out/summaries/text-${id}.md`);
    expect(result.stdout).toBe(await project.read(path));
    const described = JSON.parse((await succeed('jobs', 'result', id, '--json')).stdout);
    expect(described).toMatchObject({
      shortId: id,
      files: [{ path: join(project.dir, path), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }],
    });
    const prompt = await succeed('jobs', 'prompt', id);
    expect(prompt.stdout).toMatch(/^==> system\n[^]*^==> user\n[^]*The first mill burned/m);
    expect(prompt.stderr).toMatch(/call 1 {2}attempt 1 .* aiq-offline/);
  });

  test('a result that somebody changed or removed is told, never passed over', async () => {
    const id = await add('changed');
    await succeed('run', '--until-empty');
    const path = `out/summaries/text-${id}.md`;
    await project.write(path, 'mine now');
    const changed = await succeed('jobs', 'result', id);
    expect(changed.stdout).toBe('mine now\n');
    expect(changed.stderr).toContain('was modified after the job wrote it');
    await rm(join(project.dir, path));
    const removed = await project.aiq('jobs', 'result', id);
    expect(removed).toMatchObject({ code: 5, stdout: '' });
    expect(removed.stderr).toContain('the file was moved or removed');
  });

  test('one that waits has no result yet, can be cancelled once, and then had none', async () => {
    const id = await add('waiting');
    expect((await project.aiq('jobs', 'result', id)).code).toBe(8);
    expect((await project.aiq('jobs', 'prompt', id)).code).toBe(5);
    expect((await succeed('jobs', 'cancel', id)).stdout).toBe(`${id}\n`);
    const again = await project.aiq('jobs', 'cancel', id);
    expect(again).toMatchObject({ code: 2, stdout: '' });
    expect(again.stderr).toContain(`${id} was not cancelled: the job is cancelled`);
    expect((await project.aiq('jobs', 'result', id)).code).toBe(7);
  });

  test('of several, an id that names no job changes none', async () => {
    const id = await add('kept');
    const refused = await project.aiq('jobs', 'cancel', id, '00000');
    expect(refused).toMatchObject({ code: 5, stdout: '' });
    const [shown] = await json('jobs', 'list', '--limit', '1');
    expect(shown).toMatchObject({ shortId: id, state: 'ready' });
    await succeed('jobs', 'cancel', id);
  });
});

describe('dead jobs', () => {
  test('are listed with their cause, and the prompt of each failed attempt is kept', async () => {
    const id = await add('dead');
    await project.aiq(...die);
    const [row] = await json('dead', 'list');
    expect(row).toMatchObject({ shortId: id, state: 'dead', attempts: 1 });
    const { code } = (row ?? {})['error'] as { code: string };
    for (const spelling of [
      ['dead', 'list'],
      ['jobs', 'list', '--state', 'dead'],
      ['jobs', 'list', '--state', 'dead', '--cause', code],
    ]) {
      expect((await succeed(...spelling)).stdout).toMatch(new RegExp(`^${id}\tsummarize\t${code}`));
    }
    expect(await json('dead', 'list', '--cause', 'other')).toEqual([]);
    expect((await succeed('dead', 'show', id)).stdout).toContain(code);
    expect((await succeed('jobs', 'show', id)).stdout).toContain(code);
    await succeed('jobs', 'retry', id);
    await succeed('run', '--until-empty');
    const all = await succeed('jobs', 'prompt', id, '--all');
    expect(all.stdout).toMatch(/^==> call 1 .*error=400[^]*^==> call 2 .*aiq-offline/m);
    expect((await project.aiq('dead', 'show', id)).stderr).toContain('is not dead: it is done');
  });

  test('are queued again by id, by cause or all together, never all by accident', async () => {
    const ids = await Promise.all(['one', 'two', 'three'].map((key) => add(`again-${key}`)));
    await project.aiq(...die);
    const [first = ''] = ids;
    expect((await project.aiq('dead', 'retry')).code).toBe(2);
    expect((await project.aiq('dead', 'retry', first, '--all')).code).toBe(2);
    const [{ error } = { error: null }] = await json('dead', 'list', '--limit', '1');
    const cause = (error as { code: string }).code;
    expect((await succeed('dead', 'retry', first)).stdout.trim()).toBe(first);
    expect((await succeed('dead', 'retry', '--cause', 'other')).stderr).toContain('no dead jobs');
    expect(await json('dead', 'retry', '--all', '--agent', 'search')).toEqual([{ retried: 0 }]);
    expect(await json('dead', 'retry', '--cause', cause, '--agent', 'summarize')).toEqual([
      { retried: 2 },
    ]);
    expect((await succeed('dead', 'retry', '--all')).stderr).toContain('no dead jobs');
    await succeed('run', '--until-empty');
  });
});

describe('queues', () => {
  test('are paused and resumed, and everybody is told', async () => {
    const id = await add('paused');
    await succeed('queues', 'pause', 'summarize');
    expect((await succeed('queues', 'list')).stdout).toMatch(/^summarize\t1\t.*\tpaused$/m);
    expect(await json('queues', 'list')).toMatchObject([{ queue: 'summarize', paused: true }]);
    expect((await succeed('doctor')).stdout).toContain('aiq queues resume summarize');
    await succeed('queues', 'resume', 'summarize');
    expect((await succeed('queues', 'show', 'summarize')).stdout).toMatch(/^deliveries +running$/m);
    await succeed('run', '--until-empty');
    await succeed('jobs', 'wait', id);
  });

  test('are purged with a yes only, and what is done stays', async () => {
    await Promise.all([add('purge-one'), add('purge-two')]);
    const refused = await project.aiq('queues', 'purge', 'summarize');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('2 waiting jobs of summarize would be cancelled');
    const purged = await succeed('queues', 'purge', 'summarize', '--yes', '--json');
    expect(JSON.parse(purged.stdout)).toEqual({ queue: 'summarize', cancelled: 2 });
    const [info] = await json('queues', 'list');
    expect(info).toMatchObject({ ready: 0, delayed: 0 });
  });

  test('that nobody knows are an error with a suggestion; an agent without jobs has one', async () => {
    const unknown = await project.aiq('queues', 'pause', 'sumarize');
    expect(unknown.code).toBe(5);
    expect(unknown.stderr).toContain('Did you mean "summarize"?');
    expect((await succeed('queues', 'show', 'search')).stdout).toMatch(/^ready +0$/m);
  });
});

describe('tail', () => {
  test('prints each change of a job, ends with it, and as JSON says what jobs show says', async () => {
    const id = await add('tailed');
    const { finished } = project.start('tail', id, '--json');
    await succeed('run', '--until-empty');
    const { code, stdout } = await finished;
    expect(code).toBe(0);
    const states = stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { state: string }).state);
    expect(states.at(-1)).toBe('done');
    const other = (await succeed('tail', id)).stdout;
    expect(other).toMatch(
      new RegExp(`^\\d\\d:\\d\\d:\\d\\d {2}${id} {2}done .* -> out/summaries/`),
    );
  });

  test('of a job that died exits with 7', async () => {
    const id = await add('tailed-dead');
    await project.aiq(...die);
    expect((await project.aiq('tail', id)).code).toBe(7);
  });

  test('--until-empty leaves when nothing is left', async () => {
    const id = await add('last');
    const { finished } = project.start('tail', '--queue', 'summarize', '--until-empty');
    await succeed('run', '--until-empty');
    const { code, stdout } = await finished;
    expect(code).toBe(0);
    // Either it saw the job, or the job was done before it looked.
    if (stdout !== '') expect(stdout).toMatch(new RegExp(`${id} {2}done`));
  });
});

test.each([
  ['jobs', 'lst', 'list'],
  ['dead', 'retyr', 'retry'],
  ['queues', 'puase', 'pause'],
  ['config', 'lits', 'list'],
  ['agents', 'shwo', 'show'],
])('"%s %s" is refused with what may have been meant', async (family, typed, meant) => {
  const refused = await project.aiq(family, typed);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain(`Did you mean ${meant}?`);
});
