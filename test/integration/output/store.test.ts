/** Results in a real folder: policies, confinement, one result for each job. */

import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type OutputError,
  OutputFolder,
  OutputView,
  type Result,
} from '../../../core/output/index.ts';
import { randomOf } from '../../support/random.ts';

let parent: string;
let root: string;
let folder: OutputFolder;
/** The same folder as the threads of jobs read it. */
let view: OutputView;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'aiq-output-'));
  root = join(parent, 'out');
  folder = await OutputFolder.open(root);
  view = await OutputView.open(root);
});
afterEach(async () => {
  await view.close();
  await folder.close();
  await rm(parent, { recursive: true });
});

const resultOf = (jobId: string, path: string, more: Partial<Result> = {}): Result => ({
  jobId,
  files: [{ path, content: Buffer.from(`text of ${jobId}`) }],
  overwrite: 'number',
  replaces: null,
  provider: 'p',
  model: 'm',
  ...more,
});

/** As a consumer does it: names first, then the files. */
async function put(result: Result, into: OutputFolder = folder): Promise<string[]> {
  const { files, overwrite, replaces } = result;
  const names = await into.reserve(
    files.map(({ path }) => path),
    overwrite,
    { replaces },
  );
  try {
    const named = files.map((file, at) => ({ ...file, path: names.paths[at] ?? '' }));
    return pathsOf(await into.place({ ...result, files: named }));
  } finally {
    names.release();
  }
}

const pathsOf = (found: { readonly files: readonly { readonly path: string }[] } | null) =>
  found?.files.map(({ path }) => path) ?? [];
const read = (path: string) => readFile(join(root, path), 'utf8');
const unfinished = () => readdir(join(root, '.aiq/unfinished'));
const refusal = (code: OutputError['code']) =>
  expect.objectContaining({ name: 'OutputError', code });

describe('a result', () => {
  it('is a file and a line of the index, and nothing else', async () => {
    expect(await put(resultOf('job1', 'a/b/note.md'))).toEqual(['a/b/note.md']);
    await folder.sync();
    expect(await read('a/b/note.md')).toBe('text of job1');
    expect(await folder.find('job1')).toMatchObject({
      jobId: 'job1',
      files: [{ path: 'a/b/note.md', bytes: 12 }],
      provider: 'p',
      model: 'm',
    });
    expect(await unfinished()).toEqual([]);
    expect((await readdir(join(root, '.aiq'))).toSorted()).toEqual(['results.jsonl', 'unfinished']);
    expect((await stat(join(root, 'a/b/note.md'))).mode & 0o111).toBe(0);
  });

  it('takes the place of an earlier one, but for what somebody changed of it', async () => {
    const files = ['set/a.md', 'set/deep/b.md', 'note.md'].map((path) => {
      return { path, content: Buffer.from(path) };
    });
    await put(resultOf('job1', '', { files }));
    await view.check('note.md', 'error', 'job1');
    await writeFile(join(root, 'set/a.md'), 'A');
    const onChanged = view.check('set/a.md', 'error', 'job1');
    await expect(onChanged).rejects.toEqual(refusal('exists'));
    await put(resultOf('job2', 'note.md', { overwrite: 'error', replaces: 'job1' }));
    expect(await read('note.md')).toBe('text of job2');
    expect(await readdir(join(root, 'set'))).toEqual(['a.md']);
  });

  it('of a job is the first, whatever other brokers bring', async () => {
    await put(resultOf('job1', 'note.md'));
    const other = await OutputFolder.open(root);
    const second = resultOf('job1', 'other.md', {
      files: [{ path: 'other.md', content: Buffer.from('second') }],
    });
    expect(await put(second, other)).toEqual(['note.md']);
    expect(pathsOf(await other.recover(second))).toEqual(['note.md']);
    await other.close();
    expect(await readdir(root)).toEqual(['.aiq', 'note.md']);
    expect(await read('note.md')).toBe('text of job1');
  });

  it('is one when two brokers bring theirs at once', async () => {
    const other = await OutputFolder.open(root);
    const paths = await Promise.all([
      put(resultOf('job1', 'first.md')),
      put(
        resultOf('job1', 'second.md', { files: [{ path: 'b.md', content: Buffer.from('b') }] }),
        other,
      ),
    ]);
    await other.close();
    expect(paths[0]).toEqual(paths[1]);
    expect(await readdir(root)).toHaveLength(2);
  });

  it('gets a number where its name is taken, by whomever', async () => {
    await writeFile(join(root, 'note.md'), 'mine');
    const paths: string[] = [];
    for (const id of ['job1', 'job2', 'job3']) paths.push(...(await put(resultOf(id, 'note.md'))));
    expect(paths).toEqual(['note-2.md', 'note-3.md', 'note-4.md']);
    expect(await read('note.md')).toBe('mine');
  });

  it('of many jobs at once has a name of its own each', async () => {
    const ids = Array.from({ length: 40 }, (_, index) => `job${index}`);
    const paths = (await Promise.all(ids.map((id) => put(resultOf(id, 'same/note.md'))))).flat();
    expect(new Set(paths).size).toBe(40);
    for (const [index, path] of paths.entries())
      expect(await read(path)).toBe(`text of job${index}`);
  });

  it('is refused under the policy "error" where its name is taken, also by a result on its way', async () => {
    await writeFile(join(root, 'note.md'), 'mine');
    const error = { overwrite: 'error' } as const;
    await expect(put(resultOf('job1', 'note.md', error))).rejects.toEqual(refusal('exists'));
    const first = folder.reserve(['free.md'], 'error');
    await expect(folder.reserve(['free.md'], 'error')).rejects.toEqual(refusal('exists'));
    (await first).release();
    expect(await folder.find('job1')).toBeNull();
    expect(await read('note.md')).toBe('mine');
  });

  it('replaces a file as a whole under the policy "replace", but never a folder', async () => {
    await mkdir(join(root, 'folder.md'));
    await writeFile(join(root, 'note.md'), 'mine, and much longer than the new text');
    const replace = { overwrite: 'replace' } as const;
    await put(resultOf('job1', 'note.md', replace));
    expect(await read('note.md')).toBe('text of job1');
    await expect(put(resultOf('job2', 'folder.md', replace))).rejects.toEqual(refusal('exists'));
  });

  it('with one bad path is refused as a whole', async () => {
    const files = ['good.md', '../bad.md'].map((path) => ({ path, content: Buffer.from('x') }));
    await expect(put(resultOf('job1', '', { files }))).rejects.toEqual(refusal('path_invalid'));
    expect(await readdir(root)).toEqual(['.aiq']);
  });
});

describe('a name that is taken between check and writing', () => {
  const robbed = async (path: string) =>
    OutputFolder.open(root, {
      onStep: async (step) => {
        if (step === 'indexed') await writeFile(join(root, path), 'thief', { flag: 'wx' });
      },
    });

  it('is left to the thief: the result is numbered, and its line says so', async () => {
    const other = await robbed('note.md');
    expect(await put(resultOf('job1', 'note.md'), other)).toEqual(['note-2.md']);
    await other.close();
    expect(pathsOf(await folder.find('job1'))).toEqual(['note-2.md']);
    expect(await read('note.md')).toBe('thief');
    expect(await read('note-2.md')).toBe('text of job1');
  });

  it('under the policy "error" keeps the result waiting until it is free', async () => {
    const result = resultOf('job1', 'note.md', { overwrite: 'error' });
    const other = await robbed('note.md');
    await expect(put(result, other)).rejects.toEqual(refusal('exists'));
    await expect(folder.recover(result)).rejects.toEqual(refusal('exists'));
    await other.close();
    expect(await read('note.md')).toBe('thief');
    await unlink(join(root, 'note.md'));
    expect(pathsOf(await folder.recover(result))).toEqual(['note.md']);
    expect(await read('note.md')).toBe('text of job1');
  });
});

describe('who wakes up late', () => {
  /** Another consumer takes the job over at that step of its first writer. */
  const takenOverAt = (at: string, then: () => Promise<void> = async () => {}) =>
    OutputFolder.open(root, {
      onStep: async (step) => {
        if (step !== at) return;
        const other = await OutputFolder.open(root);
        await other.recover(resultOf('job1', 'note.md'));
        await other.close();
        await then();
      },
    });

  it.each(['written', 'indexed'])('changes nothing, wherever it was (%s)', async (at) => {
    for (const overwrite of ['number', 'replace', 'error'] as const) {
      const edit = () => writeFile(join(root, 'note.md'), 'edited since');
      const late = await takenOverAt(at, edit);
      const result = resultOf('job1', 'note.md', { overwrite });
      await expect(put(result, late)).rejects.toEqual(refusal('taken_over'));
      await late.close();
      expect(await read('note.md')).toBe('edited since');
      expect(await readdir(root)).toEqual(['.aiq', 'note.md']);
      await rm(join(root, 'note.md'));
      await rm(join(root, '.aiq'), { recursive: true });
      await folder.close();
      folder = await OutputFolder.open(root);
    }
  });
});

it('who has not even begun when the job is taken over changes nothing either', async () => {
  const other = await OutputFolder.open(root);
  await other.recover(resultOf('job1', 'note.md'));
  await other.close();
  await writeFile(join(root, 'note.md'), 'edited since');
  await expect(put(resultOf('job1', 'note.md'))).rejects.toEqual(refusal('taken_over'));
  expect(await readdir(root)).toEqual(['.aiq', 'note.md']);
  expect(await read('note.md')).toBe('edited since');
});

describe('recovery', () => {
  it('writes nothing that is there, and never over what another job or a person put there', async () => {
    const result = resultOf('job1', 'note.md');
    await put(result);
    const { ino } = await stat(join(root, 'note.md'));
    expect(pathsOf(await folder.recover(result))).toEqual(['note.md']);
    expect((await stat(join(root, 'note.md'))).ino).toBe(ino);
    await writeFile(join(root, 'mine.md'), 'mine');
    expect(pathsOf(await folder.recover(resultOf('job2', 'mine.md')))).toEqual(['mine-2.md']);
    // The same content under the same name is the other job's all the same.
    const same = { files: [{ path: 'note.md', content: Buffer.from('text of job1') }] };
    expect(pathsOf(await folder.recover(resultOf('job3', '', same)))).toEqual(['note-2.md']);
    expect(await read('mine.md')).toBe('mine');
  });

  it('under "replace" leaves what a later result put there', async () => {
    const replace = { overwrite: 'replace' } as const;
    await put(resultOf('job1', 'note.md', replace));
    await put(resultOf('job2', 'note.md', replace));
    await folder.recover(resultOf('job1', 'note.md', replace));
    expect(await read('note.md')).toBe('text of job2');
  });
});

describe('restore', () => {
  it('brings back what is missing, and what was changed only by force', async () => {
    const file = { path: 'a/note.md', content: Buffer.from('text of job1') };
    await put(resultOf('job1', 'a/note.md'));
    expect(await folder.restore('job1', file, false)).toBe('same');
    await rm(join(root, 'a'), { recursive: true });
    expect(await folder.restore('job1', file, false)).toBe('missing');
    expect(await read('a/note.md')).toBe('text of job1');
    await writeFile(join(root, 'a/note.md'), 'edited');
    expect(await folder.restore('job1', file, false)).toBe('other');
    expect(await read('a/note.md')).toBe('edited');
    await folder.restore('job1', file, true);
    expect(await read('a/note.md')).toBe('text of job1');
  });
});

describe('confinement', () => {
  it('follows no link that stands where a folder should be', async () => {
    const outside = join(parent, 'outside');
    await mkdir(outside);
    await symlink(outside, join(root, 'link'));
    for (const path of ['link/a.md', 'link/deep/a.md']) {
      await expect(put(resultOf('job1', path))).rejects.toEqual(refusal('path_invalid'));
      await expect(folder.place(resultOf('job1', path))).rejects.toEqual(refusal('path_invalid'));
      await expect(view.check(path, 'number')).rejects.toEqual(refusal('path_invalid'));
    }
    expect(await readdir(outside)).toEqual([]);
  });

  it('replaces a link itself and not what it points to', async () => {
    const victim = join(parent, 'victim.md');
    await writeFile(victim, 'untouched');
    await symlink(victim, join(root, 'note.md'));
    await put(resultOf('job1', 'note.md', { overwrite: 'replace' }));
    expect(await readFile(victim, 'utf8')).toBe('untouched');
    expect(await read('note.md')).toBe('text of job1');
  });

  it('refuses an output folder whose .aiq is a link', async () => {
    const planted = join(parent, 'planted');
    await mkdir(planted);
    await symlink(parent, join(planted, '.aiq'));
    await expect(OutputFolder.open(planted)).rejects.toEqual(refusal('io'));
  });

  it('takes no line of the index that names a path outside', async () => {
    const sha256 = '0'.repeat(64);
    const line = JSON.stringify(['job1', [['../../escaped.md', sha256, 1]], '', '', 'x']);
    await writeFile(join(root, '.aiq/results.jsonl'), `${line}\n`);
    expect(await folder.find('job1')).toBeNull();
  });
});

it('check tells before anything is bought whether the path will do', async () => {
  await writeFile(join(root, 'note.md'), 'mine');
  await mkdir(join(root, 'folder'));
  await expect(view.check('note.md', 'error')).rejects.toEqual(refusal('exists'));
  await expect(view.check('folder', 'replace')).rejects.toEqual(refusal('exists'));
  await expect(view.check('../note.md', 'number')).rejects.toEqual(refusal('path_invalid'));
  expect(await view.check('note.md', 'number')).toBeNull();
  expect(await view.check('note.md', 'replace')).toBeNull();
  expect(await view.check('new/note.md', 'error')).toBe('new/note.md');
  expect(await readdir(root)).toEqual(['.aiq', 'folder', 'note.md']);
});

it('the index finds each of many jobs, in this process and the next', async () => {
  const random = randomOf(7);
  const ids = Array.from({ length: 3_000 }, () => `job-${random().toString(36).slice(2)}`);
  const sha256 = 'a'.repeat(64);
  const lines = ids.map((id) => JSON.stringify([id, [[`${id}.md`, sha256, 3]], 'p', 'm', 'x']));
  await writeFile(join(root, '.aiq/results.jsonl'), `${lines.join('\n')}\n`);
  const next = await OutputFolder.open(root);
  for (const id of ids) {
    expect(pathsOf(await next.find(id))).toEqual([`${id}.md`]);
    expect(pathsOf(await folder.find(id))).toEqual([`${id}.md`]);
  }
  expect(await next.find('job-none')).toBeNull();
  await next.close();
});
