/** Processes that publish into one root at the same time: nobody overwrites, nobody is lost. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OutputFolder } from '../../../core/output/index.ts';
import type { PublisherOrder } from '../../support/publisher.ts';

const script = join(import.meta.dirname, '../../support/publisher.ts');
let root: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'aiq-races-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(root, { recursive: true });
});

type Result = { id: string; paths?: string[]; error?: string };

/** Starts all publishers, lets them open the root, then fires them together. */
async function race(orders: readonly Omit<PublisherOrder, 'root' | 'startWhen'>[]) {
  const startWhen = join(root, 'start');
  const running = orders.map((order) => {
    const json = JSON.stringify({ ...order, root: join(root, 'out'), startWhen });
    const child = spawn(process.execPath, [script, json], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    return {
      child,
      ended: once(child, 'close'),
      ready: once(child.stdout, 'data'),
      text: () => output,
    };
  });
  await Promise.all(running.map(({ ready }) => ready));
  await writeFile(startWhen, '');
  await Promise.all(running.map(({ ended }) => ended));
  return running.map(({ text }) => JSON.parse(text().split('\n')[1] ?? '[]') as Result[]);
}

const outputs = async () =>
  (await readdir(join(root, 'out'), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('.aiq'))
    .map((entry) => entry.name);
const read = (path: string) => readFile(join(root, 'out', path), 'utf8');

describe('racing processes', () => {
  it('give 300 pairs of jobs with the same name two whole files each', async () => {
    const names = Array.from({ length: 300 }, (_, index) => `note-${index}-of-race`);
    const jobs = (who: string) =>
      names.map((name, index) => ({ id: `${who}-${index}`, paths: [`${name}.md`] }));
    const [one, two] = await race([
      { jobs: jobs('one'), overwrite: 'number', mark: '1' },
      { jobs: jobs('two'), overwrite: 'number', mark: '2' },
    ]);
    const all = [...one!, ...two!];
    expect(all.filter((result) => result.error !== undefined)).toEqual([]);
    expect(await outputs()).toHaveLength(600);
    const folder = await OutputFolder.open(join(root, 'out'));
    for (const { id, paths } of all) {
      const name = names[Number(id.split('-')[1])];
      const expected = `${id.startsWith('one') ? 1 : 2} ${id} ${name}.md\n`.repeat(200);
      expect(await read(paths![0]!)).toBe(expected);
      const found = await folder.find(id);
      expect(found?.files.map((file) => file.path)).toEqual(paths);
    }
    await folder.close();
    expect(await readdir(join(root, 'out/.aiq/unfinished'))).toEqual([]);
  });

  it('let exactly one attempt of a job win, whole, when two processes run it', async () => {
    const jobs = Array.from({ length: 100 }, (_, index) => ({
      id: `job-${index}`,
      paths: [`${index}/a.md`, `${index}/b.md`],
    }));
    const [one, two] = await race([
      { jobs, overwrite: 'number', mark: '1' },
      { jobs, overwrite: 'number', mark: '2' },
    ]);
    expect(one).toEqual(two);
    expect(await outputs()).toHaveLength(200);
    for (const { id, paths } of one!) {
      expect(paths).toEqual(jobs[Number(id.split('-')[1])]!.paths);
      const [a, b] = await Promise.all(paths!.map(read));
      const winner = a!.slice(0, 1);
      expect(a).toBe(`${winner} ${id} ${paths![0]}\n`.repeat(200));
      expect(b).toBe(`${winner} ${id} ${paths![1]}\n`.repeat(200));
    }
    expect(await readdir(join(root, 'out/.aiq/unfinished'))).toEqual([]);
  });

  it('never overwrite under the policy "error": one stands, the other is told', async () => {
    const jobs = (who: string) =>
      Array.from({ length: 100 }, (_, index) => ({
        id: `${who}-${index}`,
        paths: [`${index}.md`],
      }));
    const [one, two] = await race([
      { jobs: jobs('one'), overwrite: 'error', mark: '1' },
      { jobs: jobs('two'), overwrite: 'error', mark: '2' },
    ]);
    expect(await outputs()).toHaveLength(100);
    for (let index = 0; index < 100; index++) {
      const pair = [one![index]!, two![index]!];
      const [winner] = pair.filter((result) => result.error === undefined);
      const [loser] = pair.filter((result) => result.error !== undefined);
      expect(loser?.error).toMatch(/exists already/);
      expect(await read(`${index}.md`)).toContain(`${winner?.id} ${index}.md\n`);
    }
  });

  it('write nothing outside while an attacker swaps a folder for a link', async () => {
    const [inside, outside] = [join(root, 'out/folder'), join(root, 'outside')];
    await mkdir(inside, { recursive: true });
    await mkdir(outside);
    const attack = { goesOn: true, swaps: 0 };
    const attacker = (async () => {
      while (attack.goesOn) {
        await rename(inside, join(root, 'aside')).catch(() => {});
        await symlink(outside, inside).catch(() => {});
        attack.swaps += 1;
        await new Promise(setImmediate);
        await unlink(inside).catch(() => {});
        await rename(join(root, 'aside'), inside).catch(() => {});
      }
    })();
    const jobs = Array.from({ length: 200 }, (_, index) => ({
      id: `job-${index}`,
      paths: [`folder/${index}.md`],
    }));
    const [results] = await race([{ jobs, overwrite: 'number', mark: '1' }]);
    attack.goesOn = false;
    await attacker;
    expect(await readdir(outside)).toEqual([]);
    expect(results).toHaveLength(200);
    expect(attack.swaps).toBeGreaterThan(0);
    for (const { paths, error } of results!) {
      // A folder that was made anew while the first was aside keeps that one there.
      const published = (path: string): Promise<string> =>
        read(path).catch(() => readFile(join(root, 'aside', basename(path)), 'utf8'));
      if (error === undefined) expect(await published(paths![0]!)).toMatch(/^1 job-/);
      else expect(error).toMatch(/goes through a link|cannot write|another consumer/);
    }
  });
});
