/** Files of results over the built-in broker: small ones travel with the settle, others are blobs before it. */

import { hash } from 'node:crypto';
import { type Client, putBlob } from '../../client/index.ts';
import { AiqError, limits, type Output, type Value } from '../../protocol/index.ts';
import type { JobQueue, KeptOutput } from '../port.ts';
import type { SettleOutput } from '../port-consumer.ts';
import { bytesOf, valueOf } from './values.ts';

type Asking = Pick<Client, 'request'>;

const pageRows = 100;

/**
 * The output as it travels.
 * @throws AiqError `BAD_REQUEST` when its names alone are too long, or what storing throws
 */
export async function outputOf(client: Asking, settled: SettleOutput): Promise<Output> {
  const { dir, overwrite, replaces, provenance } = settled;
  const names = settled.files.reduce((sum, { path }) => sum + 64 + 3 * path.length, 0);
  let room = limits.outputBytesMax - names - 3 * (dir.length + provenance.length);
  if (room < 0) throw new AiqError('BAD_REQUEST', 'the names of the files are too long together');
  const files: Output['files'] = [];
  for (const { path, content } of settled.files) {
    const isInline = content.length <= Math.min(room, limits.inlineBytesMax);
    if (isInline) room -= content.length;
    const value = isInline ? { inline: content, blob: null } : await stored(client, content);
    files.push({ path, content: value });
  }
  return { dir, overwrite, replaces, files, provenance };
}

/** Also of what would fit inline, were there room. */
async function stored(client: Asking, content: Uint8Array): Promise<Value> {
  return { inline: null, blob: await putBlob(client, content) };
}

/** Null where they cannot be stored: no result is held up for them. */
export async function promptsOf(client: Asking, bytes: Uint8Array): Promise<Value | null> {
  try {
    return await valueOf(client, bytes);
  } catch {
    return null;
  }
}

type Outputs = 'result' | 'output' | 'prompts' | 'unwritten' | 'unwrittenFolders' | 'written';

/** The part of the port that is about results and their files. */
export function outputsOf(client: Asking): Pick<JobQueue, Outputs> {
  const output: JobQueue['output'] = async (id) => {
    const kept = (await client.request('Output', { id })).output;
    return kept === null ? null : keptOf(client, kept);
  };
  return {
    output,
    async result(id) {
      const { value } = await client.request('Result', { id });
      if (value !== null) return bytesOf(client, value);
      const kept = await output(id);
      return kept === null ? null : resultOf(kept);
    },
    async prompts(id) {
      return bytesOf(client, (await client.request('Output', { id })).prompts);
    },
    async unwritten(dir, after = 0) {
      const page = await client.request('Unwritten', { dir, after, limit: pageRows });
      const jobs = page.jobs.map(({ id, held }) => ({ id, isHeld: held }));
      return { jobs, next: page.next === 0 ? null : page.next };
    },
    async unwrittenFolders() {
      return (await client.request('Folders', {})).folders;
    },
    async written(jobs) {
      for (let at = 0; at < jobs.length; at += limits.batchItemsMax) {
        const some = jobs.slice(at, at + limits.batchItemsMax);
        await client.request('Written', { jobs: some.map((job) => ({ ...job })) });
      }
    },
  };
}

function keptOf(client: Asking, output: Output): KeptOutput {
  const files = output.files.map(({ path, content }) => ({
    path,
    bytes: content.blob?.totalBytes ?? content.inline?.length ?? 0,
    sha256: Buffer.from(
      content.blob?.sha256 ?? hash('sha256', content.inline ?? '', 'buffer'),
    ).toString('hex'),
    content: async () => (await bytesOf(client, content)) ?? new Uint8Array(0),
  }));
  return { ...output, files };
}

/** What `aiq jobs result` prints of several files, and of one its content. */
async function resultOf({ dir, files }: KeptOutput): Promise<Uint8Array> {
  const [only, second] = files;
  if (only !== undefined && second === undefined) return only.content();
  const listed = files.map(({ path, sha256, bytes }) => ({ path, sha256, bytes }));
  return Buffer.from(JSON.stringify({ root: dir, files: listed }));
}
