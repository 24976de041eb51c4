/** What cannot be written is kept, said in plain words, and written once it can be. */

import { chmod, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { KeptOutput, SettleOutput, WrittenOutput } from '../../../core/job-queue/index.ts';
import { OutputFolder } from '../../../core/output/index.ts';
import { Projection } from '../../../core/runtime/outputs/projection.ts';
import { infoWith } from '../../support/job-info.ts';
import { until } from '../../support/project.ts';
import { fakeQueue } from '../../support/runtime-fakes.ts';

let root: string;
let said: WrittenOutput[];
/** What the broker has: by job, with the note as it is by now. */
let kept: Map<string, { output: SettleOutput; note: string; written: boolean }>;
let projection: Projection;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'aiq-projection-'));
  said = [];
  kept = new Map();
  projection = new Projection({ queue: queueOf(), log, outputDir: join(root, 'out') });
  await projection.open(join(root, 'out'));
});
afterEach(async () => {
  await projection.close();
  await rm(root, { recursive: true });
});

const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
function ignore(): void {
  // Nothing that these tests are about.
}

function queueOf() {
  const { queue } = fakeQueue();
  const unwritten = () => [...kept].filter(([, job]) => !job.written).map(([id]) => id);
  return Object.assign(queue, {
    written: async (jobs: readonly WrittenOutput[]) => {
      said.push(...jobs);
      for (const { id, written, note } of jobs) {
        const job = kept.get(id);
        if (job !== undefined)
          kept.set(id, { ...job, written, note: note === '' ? job.note : note });
      }
    },
    unwrittenFolders: async () =>
      unwritten().length === 0 ? [] : [{ dir: join(root, 'out'), unwritten: 1 }],
    unwritten: async () => ({ jobs: unwritten().map((id) => ({ id, isHeld: false })), next: null }),
    inspect: async (id: string) => {
      const job = kept.get(id);
      const output = job?.written === true ? ('written' as const) : ('unwritten' as const);
      const info = infoWith({ id, state: 'done', output, note: job?.note ?? '' });
      return job === undefined ? [] : [{ info, job: null, history: [] }];
    },
    output: async (id: string): Promise<KeptOutput | null> => {
      const job = kept.get(id);
      if (job === undefined) return null;
      const files = job.output.files.map(({ path, content }) => {
        return { path, bytes: content.length, sha256: '', content: async () => content };
      });
      return { ...job.output, files };
    },
  });
}

/** Settled, as the broker has it from then on. */
function settled(jobId: string, path: string, more: Partial<SettleOutput> = {}) {
  const files = [{ path, content: Buffer.from(`text of ${jobId}`) }];
  const common = { dir: join(root, 'out'), overwrite: 'number', replaces: null } as const;
  const output: SettleOutput = { ...common, provenance: '{}', files, ...more };
  const note = JSON.stringify({ root: output.dir, files: files.map((file) => file.path) });
  kept.set(jobId, { output, note, written: false });
  return { jobId, output, note };
}

const read = (path: string) => readFile(join(root, 'out', path), 'utf8');

it('a result is written, then confirmed, with no word more than it takes', async () => {
  const jobs = ['job1', 'job2', 'job3'].map((id) => settled(id, `${id}.md`));
  const written = await Promise.all(jobs.map((job) => projection.write(job)));
  expect(written.map(({ names }) => names)).toEqual([['job1.md'], ['job2.md'], ['job3.md']]);
  await projection.idle();
  // Files are written side by side: which one is there first is nobody's promise.
  const inOrder = said.toSorted((a, b) => a.id.localeCompare(b.id));
  expect(inOrder.map(({ id, written: isWritten, note }) => [id, isWritten, note])).toEqual(
    jobs.map(({ jobId }) => [jobId, true, '']),
  );
});

it('a folder that cannot be written keeps the result, says why, and has it once it can be', async () => {
  const unfinished = join(root, 'out/.aiq/unfinished');
  await rm(unfinished, { recursive: true });
  const { notWritten, names } = await projection.write(settled('job1', 'a.md'));
  expect(names).toEqual([]);
  expect(notWritten).toMatch(/cannot write .*ENOENT/);
  await projection.idle();
  expect(said).toMatchObject([{ id: 'job1', written: false }]);
  expect(JSON.parse(said[0]?.note ?? '')).toMatchObject({ files: ['a.md'], notWritten });
  // A consumer that starts once it was mended.
  await projection.close();
  projection = new Projection({ queue: queueOf(), log, outputDir: join(root, 'out') });
  await projection.catchUp();
  await projection.idle();
  expect(await read('a.md')).toBe('text of job1');
  expect(said.at(-1)).toMatchObject({ id: 'job1', written: true });
  expect(JSON.parse(said.at(-1)?.note ?? '')).not.toHaveProperty('notWritten');
});

it('is tried again by the same consumer, after a while', async () => {
  const aside = join(root, 'aside');
  await rename(join(root, 'out/.aiq/unfinished'), aside);
  // Its folder is held: files go nowhere until the handle has a folder again.
  await chmod(aside, 0o500);
  const written = await projection.write(settled('job1', 'a.md'));
  await chmod(aside, 0o700);
  if (process.getuid?.() === 0) return;
  expect(written.notWritten).toMatch(/EACCES/);
  await until('the next try', async () => said.some((job) => job.written));
});

it('a name that is taken under "error" waits for it to be free', async () => {
  await writeFile(join(root, 'out/a.md'), 'mine');
  const { notWritten } = await projection.write(settled('job1', 'a.md', { overwrite: 'error' }));
  expect(notWritten).toMatch(/exists already/);
  expect(await read('a.md')).toBe('mine');
  await rm(join(root, 'out/a.md'));
  await projection.catchUp();
  await projection.idle();
  expect(await read('a.md')).toBe('text of job1');
  expect(said.at(-1)).toMatchObject({ id: 'job1', written: true });
});

it('what was confirmed and removed since is not written again by itself', async () => {
  await projection.write(settled('job1', 'a.md'));
  await projection.idle();
  await rm(join(root, 'out/a.md'));
  await projection.catchUp();
  await projection.idle();
  expect(await readdir(join(root, 'out'))).toEqual(['.aiq']);
});

it("another broker's result of the job is adopted, with its names", async () => {
  const other = await OutputFolder.open(join(root, 'out'));
  const files = [{ path: 'theirs.md', content: Buffer.from('theirs') }];
  const common = { overwrite: 'number', replaces: null, provider: '', model: '' } as const;
  await other.place({ jobId: 'job1', files, ...common });
  await other.close();
  const { names } = await projection.write(settled('job1', 'ours.md'));
  expect(names).toEqual(['theirs.md']);
  await projection.idle();
  expect(JSON.parse(said[0]?.note ?? '')).toMatchObject({ files: ['theirs.md'] });
  expect(await readdir(join(root, 'out'))).toEqual(['.aiq', 'theirs.md']);
});
