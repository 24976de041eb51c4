/**
 * Files of one result in `.aiq/staged/`: `<jobId>.<random>.<n>` for the contents and
 * `<jobId>.<random>.record` for its commit record. The record's file is made first and linked last:
 * once it is removed, the result can no longer be committed.
 */

import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { hasCode } from '../base/index.ts';
import { inChunks } from './chunks.ts';
import type { CommitRecord, PublishRequest } from './output.ts';
import type { Tree } from './tree.ts';

type Files = PublishRequest['files'];
type StagedFile = Omit<CommitRecord['files'][number], 'path'>;

export interface StagedResult {
  readonly files: readonly StagedFile[];
  /** Name of the record's file in staging. */
  readonly recordFile: string;
  writeRecord(record: CommitRecord): Promise<void>;
  /** Makes contents, record and their names durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
  /** Removes what is left of it in staging. */
  discard(): Promise<void>;
}

const createFlags =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const fileMode = 0o666;

/** Writes the contents of a result into staging; nothing is known to be durable before `sync`. */
export async function stage(tree: Tree, jobId: string, files: Files): Promise<StagedResult> {
  const name = `${jobId}.${randomBytes(8).toString('hex')}`;
  const recordFile = `${name}.record`;
  const written: string[] = [recordFile];
  const syncs: Promise<void>[] = [];

  async function create(file: string, bytes: Uint8Array): Promise<void> {
    const handle = await open(`${tree.staged.at}/${file}`, createFlags, fileMode);
    try {
      await handle.writeFile(bytes);
      // Begun at once and awaited in `sync`, so that it overlaps with writing the record.
      const synced = syncAndClose(handle);
      synced.catch(() => {});
      syncs.push(synced);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  const record = await open(`${tree.staged.at}/${recordFile}`, createFlags, fileMode);
  const close = () => record.close();
  async function discard(): Promise<void> {
    await close();
    await Promise.allSettled(syncs);
    await Promise.all(written.map((file) => removeStaged(tree, file)));
  }

  try {
    const staged = await inChunks(files, async ({ content }, index): Promise<StagedFile> => {
      const file = `${name}.${index}`;
      const bytes = typeof content === 'string' ? Buffer.from(content) : content;
      written.push(file);
      await create(file, bytes);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      return { sha256, bytes: bytes.length, staged: file };
    });
    return {
      files: staged,
      recordFile,
      writeRecord: (value) => record.writeFile(`${JSON.stringify(value, null, 2)}\n`),
      sync: async () => {
        await Promise.all([...syncs, record.datasync(), tree.sync(tree.staged)]);
      },
      close,
      discard,
    };
  } catch (error) {
    await discard();
    throw error;
  }
}

async function syncAndClose(handle: FileHandle): Promise<void> {
  try {
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

/** Removes a staged file; false when it is missing. */
export async function removeStaged(tree: Tree, file: string): Promise<boolean> {
  try {
    await unlink(`${tree.staged.at}/${file}`);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}
