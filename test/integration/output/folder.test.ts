/** Output folders of an earlier build, and such that cannot be used. */

import { link, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OutputError, OutputFolder } from '../../../core/output/index.ts';

let parent: string;
let root: string;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'aiq-folder-'));
  root = join(parent, 'out');
  await (await OutputFolder.open(root)).close();
});
afterEach(() => rm(parent, { recursive: true }));

const pathsOf = (found: { readonly files: readonly { readonly path: string }[] } | null) =>
  found?.files.map(({ path }) => path) ?? [];
const read = (path: string) => readFile(join(root, path), 'utf8');
const refusal = (code: OutputError['code']) =>
  expect.objectContaining({ name: 'OutputError', code });

describe('a folder of an earlier build', () => {
  const sha256 = 'b'.repeat(64);
  const old = async (id: string, file: { path: string; staged: string }, name = id) => {
    const record = {
      version: 1,
      jobId: id,
      overwrite: 'number',
      files: [{ ...file, sha256, bytes: 4 }],
      provenance: { provider: 'p', model: 'm' },
    };
    await writeFile(join(root, '.aiq/commit', name), JSON.stringify(record));
  };

  it('is migrated once: records become lines, what was committed is finished, the rest goes', async () => {
    for (const name of ['commit', 'staged', 'provenance', 'prompts']) {
      await mkdir(join(root, '.aiq', name));
    }
    await writeFile(join(root, 'done.md'), 'done');
    await writeFile(join(root, 'note.md'), 'mine');
    await writeFile(join(root, '.aiq/staged/half.0'), 'half');
    await writeFile(join(root, '.aiq/staged/linked.0'), 'link');
    await link(join(root, '.aiq/staged/linked.0'), join(root, 'linked.md'));
    await old('job1', { path: 'gone.md', staged: 'job1.0' });
    await old('job1', { path: 'done.md', staged: 'job1.0' }, 'job1.1');
    await old('job2', { path: 'note.md', staged: 'half.0' });
    await old('job3', { path: 'linked.md', staged: 'linked.0' });
    await writeFile(join(root, '.aiq/commit/job4'), '{"version":1');
    await writeFile(join(root, '.aiq/prompts/job1.json'), '{}');
    const told: number[] = [];
    // As if the first one had died in the middle: the next one goes on.
    const open = () => OutputFolder.open(root, { onMigrated: (count) => told.push(count) });
    await (await open()).close();
    const migrated = await open();
    expect(told).toEqual([3]);
    expect(pathsOf(await migrated.find('job1'))).toEqual(['done.md']);
    expect(pathsOf(await migrated.find('job2'))).toEqual(['note-2.md']);
    expect(pathsOf(await migrated.find('job3'))).toEqual(['linked.md']);
    expect(await migrated.find('job4')).toBeNull();
    await migrated.close();
    expect(await read('note.md')).toBe('mine');
    expect(await read('note-2.md')).toBe('half');
    expect((await readdir(join(root, '.aiq'))).toSorted()).toEqual(['results.jsonl', 'unfinished']);
  });
});

describe('a folder that cannot be used', () => {
  const openFailure = async (path: string): Promise<OutputError> => {
    try {
      await (await OutputFolder.open(path)).close();
    } catch (error) {
      return error as OutputError;
    }
    throw new Error(`${path} was opened`);
  };

  it('is named with what stands in its place', async () => {
    const file = join(parent, 'file');
    await writeFile(file, '');
    await symlink('/nowhere/at/all', join(parent, 'link'));
    for (const [path, reason] of [
      [file, `${file} is a file`],
      [join(file, 'below'), `${file} is a file`],
      [join(parent, 'link'), 'is a link to /nowhere/at/all'],
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
    const other = join(parent, 'other');
    await mkdir(other);
    await writeFile(join(other, '.aiq'), '');
    const { message } = await openFailure(other);
    expect(message).toContain(
      `${join(other, '.aiq')} or a folder in it is a link or a file. Remove`,
    );
  });

  it('is named by its real path when it breaks while in use', async () => {
    const folder = await OutputFolder.open(root);
    await rm(join(root, '.aiq/unfinished'), { recursive: true });
    const files = [{ path: 'a.md', content: Buffer.from('a') }];
    const common = { overwrite: 'number', replaces: null, provider: '', model: '' } as const;
    const placing = folder.place({ jobId: 'job1', files, ...common });
    const error = await placing.catch((reason: unknown) => reason);
    await folder.close();
    expect(error).toEqual(refusal('io'));
    expect((error as OutputError).message).toContain(join(root, '.aiq/unfinished'));
    expect((error as OutputError).message).not.toContain('/fd/');
  });
});
