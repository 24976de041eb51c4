/** Publishing on a real file system: policies, confinement, idempotence, clearing up. */

import { createHash } from 'node:crypto';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OutputError, type OutputStore, openOutput } from '../../../core/output/index.ts';

let folder: string;
let root: string;
let store: OutputStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aiq-output-'));
  root = join(folder, 'out');
  store = await openOutput(root);
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});

type Request = Parameters<OutputStore['publish']>[0];
const request = (jobId: string, path: string, more: Partial<Request> = {}): Request => ({
  jobId,
  files: [{ path, content: `text of ${jobId}` }],
  overwrite: 'number',
  provenance: { agent: 'test' },
  ...more,
});
const read = (path: string) => readFile(join(root, path), 'utf8');
const staged = () => readdir(join(root, '.aiq/staged'));
const refusal = (code: OutputError['code']) =>
  expect.objectContaining({ name: 'OutputError', code });

describe('publish', () => {
  it('leaves the file, its record and its provenance, and nothing in staging', async () => {
    const record = await store.publish(request('job1', 'a/b/note.md'));
    expect(await read('a/b/note.md')).toBe('text of job1');
    expect(record.files).toMatchObject([
      {
        path: 'a/b/note.md',
        bytes: 12,
        sha256: createHash('sha256').update('text of job1').digest('hex'),
      },
    ]);
    expect(await store.find('job1')).toEqual(record);
    expect(JSON.parse(await read('.aiq/provenance/job1.json'))).toEqual(record);
    expect(await staged()).toEqual([]);
    expect((await stat(join(root, 'a/b/note.md'))).mode & 0o111).toBe(0);
  });

  it('takes the place of an earlier result, but for what somebody changed of it', async () => {
    const before = await store.publish(
      request('job1', 'set/a.md', {
        files: [
          { path: 'set/a.md', content: 'a' },
          { path: 'set/deep/b.md', content: 'b' },
          { path: 'note.md', content: 'note' },
        ],
      }),
    );
    await store.check('note.md', 'error', before);
    await writeFile(join(root, 'set/a.md'), 'A');
    await expect(store.check('set/a.md', 'error', before)).rejects.toEqual(refusal('exists'));
    await store.publish(request('job2', 'note.md', { overwrite: 'error', replaces: before }));
    expect(await read('note.md')).toBe('text of job2');
    expect(await readdir(join(root, 'set'))).toEqual(['a.md']);
  });

  it('keeps the first result of a job, whatever later attempts bring', async () => {
    await store.publish(request('job1', 'note.md'));
    const second = await store.publish(
      request('job1', 'other.md', { files: [{ path: 'other.md', content: 'second' }] }),
    );
    expect(second.files.map((file) => file.path)).toEqual(['note.md']);
    expect(await readdir(root)).toEqual(['.aiq', 'note.md']);
    expect(await read('note.md')).toBe('text of job1');
  });

  it('keeps one result when two attempts of a job publish at once', async () => {
    const other = await openOutput(root);
    const records = await Promise.all([
      store.publish(request('job1', 'first.md')),
      other.publish(request('job1', 'second.md')),
    ]);
    await other.close();
    expect(records[0]).toEqual(records[1]);
    expect(await readdir(root)).toHaveLength(2);
    expect(await staged()).toEqual([]);
  });

  it('numbers names that are taken, by whomever', async () => {
    await writeFile(join(root, 'note.md'), 'mine');
    const paths: (string | undefined)[] = [];
    for (const id of ['job1', 'job2', 'job3']) {
      paths.push((await store.publish(request(id, 'note.md'))).files[0]?.path);
    }
    expect(paths).toEqual(['note-2.md', 'note-3.md', 'note-4.md']);
    expect(await read('note.md')).toBe('mine');
  });

  it('gives every one of many simultaneous jobs its own name', async () => {
    const ids = Array.from({ length: 40 }, (_, index) => `job${index}`);
    const records = await Promise.all(ids.map((id) => store.publish(request(id, 'same/note.md'))));
    const paths = records.map((record) => record.files[0]!.path);
    expect(new Set(paths).size).toBe(40);
    for (const [index, path] of paths.entries()) {
      expect(await read(path)).toBe(`text of job${index}`);
    }
  });

  it('refuses a taken name under the policy "error" and changes nothing', async () => {
    await writeFile(join(root, 'note.md'), 'mine');
    const publishing = store.publish(request('job1', 'note.md', { overwrite: 'error' }));
    await expect(publishing).rejects.toEqual(refusal('exists'));
    expect(await store.find('job1')).toBeNull();
    expect(await staged()).toEqual([]);
    expect(await read('note.md')).toBe('mine');
  });

  it('replaces a file as a whole under the policy "replace", but never a folder', async () => {
    await mkdir(join(root, 'folder.md'));
    await writeFile(join(root, 'note.md'), 'mine, and much longer than the new text');
    await store.publish(request('job1', 'note.md', { overwrite: 'replace' }));
    expect(await read('note.md')).toBe('text of job1');
    const onFolder = store.publish(request('job2', 'folder.md', { overwrite: 'replace' }));
    await expect(onFolder).rejects.toEqual(refusal('exists'));
  });

  it('publishes nothing once its signal was aborted', async () => {
    const aborted = AbortSignal.abort(new Error('lease lost'));
    const publishing = store.publish(request('job1', 'note.md', { signal: aborted }));
    await expect(publishing).rejects.toThrow('lease lost');
    expect(await store.find('job1')).toBeNull();
    expect(await staged()).toEqual([]);
    expect(await readdir(root)).toEqual(['.aiq']);
  });

  it('refuses a result of which one path is bad, as a whole', async () => {
    const files = ['good.md', '../bad.md'].map((path) => ({ path, content: 'x' }));
    const publishing = store.publish(request('job1', '', { files }));
    await expect(publishing).rejects.toEqual(refusal('path_invalid'));
    expect(await readdir(root)).toEqual(['.aiq']);
  });
});

describe('confinement', () => {
  it('follows no link that stands where a folder should be', async () => {
    const outside = join(folder, 'outside');
    await mkdir(outside);
    await symlink(outside, join(root, 'link'));
    for (const path of ['link/a.md', 'link/deep/a.md']) {
      await expect(store.publish(request('job1', path))).rejects.toEqual(refusal('path_invalid'));
      await expect(store.check(path, 'number')).rejects.toEqual(refusal('path_invalid'));
    }
    expect(await readdir(outside)).toEqual([]);
  });

  it('replaces a link itself and not what it points to', async () => {
    const victim = join(folder, 'victim.md');
    await writeFile(victim, 'untouched');
    await symlink(victim, join(root, 'note.md'));
    await store.publish(request('job1', 'note.md', { overwrite: 'replace' }));
    expect(await readFile(victim, 'utf8')).toBe('untouched');
    expect(await read('note.md')).toBe('text of job1');
  });

  it('refuses an output folder whose .aiq is a link', async () => {
    const planted = join(folder, 'planted');
    await mkdir(planted);
    await symlink(folder, join(planted, '.aiq'));
    await expect(openOutput(planted)).rejects.toEqual(refusal('io'));
  });

  it('refuses a commit record that names a path outside the folder', async () => {
    const record = await store.publish(request('job1', 'note.md'));
    const forged = JSON.stringify({
      ...record,
      files: [{ ...record.files[0], path: '../../escaped.md' }],
    });
    await rm(join(root, '.aiq/commit/job1'));
    await writeFile(join(root, '.aiq/commit/job1'), forged);
    await expect(store.rollForward(record)).rejects.toEqual(refusal('path_invalid'));
    await writeFile(join(root, '.aiq/commit/job1'), '{"version":1');
    await expect(store.find('job1')).rejects.toEqual(refusal('io'));
  });
});

describe('check', () => {
  it('tells before anything is bought whether the path will do', async () => {
    await writeFile(join(root, 'note.md'), 'mine');
    await mkdir(join(root, 'folder'));
    await expect(store.check('note.md', 'error')).rejects.toEqual(refusal('exists'));
    await expect(store.check('folder', 'replace')).rejects.toEqual(refusal('exists'));
    await expect(store.check('../note.md', 'number')).rejects.toEqual(refusal('path_invalid'));
    await store.check('note.md', 'number');
    await store.check('note.md', 'replace');
    await store.check('new/note.md', 'error');
    expect(await readdir(root)).toEqual(['.aiq', 'folder', 'note.md']);
  });
});

describe('names taken after the commit', () => {
  /** Puts a foreign file under the chosen name between commit and roll forward. */
  const stealing = (path: string) =>
    openOutput(root, {
      onStep: async (step) => {
        if (step === 'committed') await writeFile(join(root, path), 'thief', { flag: 'wx' });
      },
    });

  it('a numbered result moves on, and every record tells its true name', async () => {
    const robbed = await stealing('note.md');
    const record = await robbed.publish(request('job1', 'note.md'));
    await robbed.close();
    expect(record.files.map((file) => file.path)).toEqual(['note-2.md']);
    expect(await store.find('job1')).toEqual(record);
    expect(JSON.parse(await read('.aiq/provenance/job1.json'))).toEqual(record);
    expect(await read('note.md')).toBe('thief');
    expect(await read('note-2.md')).toBe('text of job1');
    expect(await staged()).toEqual([]);
  });

  it('a result that may not be renamed waits, complete, until the name is free', async () => {
    const robbed = await stealing('note.md');
    const publishing = robbed.publish(request('job1', 'note.md', { overwrite: 'error' }));
    await expect(publishing).rejects.toEqual(refusal('exists'));
    await robbed.close();
    await rm(join(root, 'note.md'));
    const record = await store.find('job1');
    await store.rollForward(record!);
    expect(await read('note.md')).toBe('text of job1');
  });
});

describe('sweep', () => {
  const age = async (name: string) => {
    const old = new Date(Date.now() - 60_000);
    await utimes(join(root, '.aiq/staged', name), old, old);
  };

  it('removes what a dead attempt left, and only when it is old enough', async () => {
    const names = ['job1.0123456789abcdef.0', 'job1.0123456789abcdef.record'];
    for (const name of names) await writeFile(join(root, '.aiq/staged', name), 'x');
    await age(names[0]!);
    expect(await store.sweep(30_000)).toBe(0);
    await age(names[1]!);
    expect(await store.sweep(30_000)).toBe(2);
    expect(await staged()).toEqual([]);
  });

  it('makes sure that a swept attempt never commits, however late it wakes up', async () => {
    const slow = await openOutput(root, {
      onStep: async (step) => {
        if (step !== 'synced') return;
        for (const name of await staged()) await age(name);
        await store.sweep(30_000);
      },
    });
    await expect(slow.publish(request('job1', 'note.md'))).rejects.toEqual(refusal('io'));
    await slow.close();
    expect(await store.find('job1')).toBeNull();
    expect(await readdir(root)).toEqual(['.aiq']);
  });

  it('finishes what was committed instead of removing it', async () => {
    const dying = await openOutput(root, {
      onStep: (step) => {
        if (step === 'committed') throw new Error('died here');
      },
    });
    await expect(dying.publish(request('job1', 'note.md'))).rejects.toThrow('died here');
    await dying.close();
    for (const name of await staged()) await age(name);
    await store.sweep(30_000);
    expect(await read('note.md')).toBe('text of job1');
    expect(await staged()).toEqual([]);
  });
});

describe('a folder that cannot be used', () => {
  const openFailure = async (path: string): Promise<OutputError> => {
    try {
      await (await openOutput(path)).close();
    } catch (error) {
      return error as OutputError;
    }
    throw new Error(`${path} was opened`);
  };

  it('is named with what stands in its place', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    await symlink('/nowhere/at/all', join(folder, 'link'));
    for (const [path, reason] of [
      [file, `${file} is a file`],
      [join(file, 'below'), `${file} is a file`],
      [join(folder, 'link'), 'is a link to /nowhere/at/all'],
    ] as const) {
      const error = await openFailure(path);
      expect(error).toEqual(refusal('io'));
      expect(error.message).toContain(`the output folder ${path} cannot be used`);
      expect(error.message).toContain(reason);
    }
  });

  it.runIf(process.platform === 'linux')(
    'is refused at once where nothing can be made',
    async () => {
      for (const path of [
        '/proc/aiq-test',
        '/proc/self/aiq-test',
        '/sys/aiq-test',
        '/proc',
        '/sys',
      ]) {
        const error = await openFailure(path);
        expect(error).toEqual(refusal('io'));
        expect(error.message).toContain(`the output folder ${path} cannot be used`);
        expect(error.message).not.toMatch(/\/fd\/|hard links/);
      }
    },
  );

  it('is told with a fix when its own folder is a file', async () => {
    const other = join(folder, 'other');
    await mkdir(other);
    await writeFile(join(other, '.aiq'), '');
    const { message } = await openFailure(other);
    expect(message).toContain(
      `${join(other, '.aiq')} or a folder in it is a link or a file. Remove`,
    );
  });

  it('is named by its real path when it breaks while in use', async () => {
    await rm(join(root, '.aiq/staged'), { recursive: true });
    const error = await store.publish(request('job1', 'a.md')).catch((reason: unknown) => reason);
    expect(error).toEqual(refusal('io'));
    expect((error as OutputError).message).toContain(`"job1" in ${root}`);
    expect((error as OutputError).message).toContain(join(root, '.aiq/staged'));
    expect((error as OutputError).message).not.toContain('/fd/');
  });
});
