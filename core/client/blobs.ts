/**
 * Blobs: content under its SHA-256, put and read in chunks. The broker says after each chunk how
 * much it has, so that whatever was lost on the way is sent again from there.
 */

import { createHash, type Hash } from 'node:crypto';
import { AiqError, type BlobRef, type Job, limits, type Message } from '../protocol/index.ts';
import type { Client } from './client.ts';

/** Bytes at once or in pieces. */
export type BlobContent = Uint8Array | readonly Uint8Array[];

type Asking = Pick<Client, 'request'>;

/** Answers in a row that say that nothing was added; a broker that restarts in between says one. */
const idleAnswersMax = 5;

/**
 * Stores 1 byte to 64 MiB durably; what the broker has already is not sent again.
 * @throws AiqError `JOB_TOO_LARGE` above 64 MiB, `BAD_BLOB`, or what a request may throw
 */
export async function putBlob(client: Asking, content: BlobContent): Promise<BlobRef> {
  const pieces = content instanceof Uint8Array ? [content] : content;
  const totalBytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (totalBytes > limits.blobBytesMax) {
    const message = `${totalBytes} bytes are too many for one blob; ${limits.blobBytesMax} are allowed`;
    throw new AiqError('JOB_TOO_LARGE', message);
  }
  const sha256 = digestOf(pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')));
  let offset = 0;
  let idleAnswers = 0;
  for (;;) {
    const chunk = cut(pieces, offset, limits.blobChunkBytesMax);
    const answer = await putChunk(client, { sha256, totalBytes, offset, chunk });
    if (answer.complete) return { sha256, totalBytes };
    idleAnswers = answer.storedBytes > offset ? 0 : idleAnswers + 1;
    if (idleAnswers > idleAnswersMax || answer.storedBytes > totalBytes) {
      const message = `the broker has ${answer.storedBytes} of ${totalBytes} bytes of a blob and takes no more`;
      throw new AiqError('BAD_BLOB', message);
    }
    offset = answer.storedBytes;
  }
}

/** Sends a chunk. A broker that has less than goes before it is asked how much, by an empty chunk. */
async function putChunk(client: Asking, put: Message<'BlobPut'>): Promise<Message<'BlobPutOk'>> {
  try {
    return await client.request('BlobPut', put, { bytesHint: put.chunk.length + 128 });
  } catch (error) {
    const isAhead = error instanceof AiqError && error.code === 'BAD_REQUEST' && put.offset > 0;
    if (!isAhead) throw error;
    return client.request('BlobPut', { ...put, offset: 0, chunk: new Uint8Array(0) });
  }
}

/**
 * Reads a blob and checks it.
 * @throws AiqError `NO_BLOB`; `BAD_BLOB` when what came is not what the reference says; the signal's
 *   reason
 */
export async function getBlob(
  client: Asking,
  { sha256, totalBytes }: BlobRef,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (totalBytes > limits.blobBytesMax) throw bad(`it is said to have ${totalBytes} bytes`);
  const content = new Uint8Array(totalBytes);
  let offset = 0;
  do {
    signal?.throwIfAborted();
    const bytesMax = Math.min(limits.blobChunkBytesMax, totalBytes - offset);
    const answer = await client.request('BlobGet', { sha256, offset, bytesMax }, { signal });
    const { chunk } = answer;
    if (answer.totalBytes !== totalBytes) throw bad(`it has ${answer.totalBytes} bytes`);
    if (answer.offset !== offset || chunk.length > bytesMax) throw bad('a chunk is not the wanted');
    if (chunk.length === 0 && bytesMax > 0) throw bad(`it ends after ${offset} bytes`);
    content.set(chunk, offset);
    offset += chunk.length;
  } while (offset < totalBytes);
  const found = digestOf(createHash('sha256').update(content));
  if (Buffer.compare(found, sha256) !== 0) throw bad('its bytes have another hash');
  return content;
}

/** The job as it was made: with its body, fetched when that is a blob. */
export async function wholeJob(client: Asking, job: Job, signal?: AbortSignal): Promise<Job> {
  if (job.bodyRef === null) return job;
  return { ...job, body: await getBlob(client, job.bodyRef, signal), bodyRef: null };
}

function digestOf(hash: Hash): Uint8Array {
  return new Uint8Array(hash.digest());
}

/** At most `bytesMax` bytes of the content from an offset on; without a copy when they are in one piece. */
function cut(pieces: readonly Uint8Array[], offset: number, bytesMax: number): Uint8Array {
  const found: Uint8Array[] = [];
  let start = 0;
  let missing = bytesMax;
  for (const piece of pieces) {
    const from = Math.max(0, offset - start);
    start += piece.length;
    if (from >= piece.length || missing === 0) continue;
    const part = piece.subarray(from, from + missing);
    found.push(part);
    missing -= part.length;
  }
  const [only = new Uint8Array(0)] = found;
  return found.length <= 1 ? only : new Uint8Array(Buffer.concat(found));
}

function bad(what: string): AiqError {
  return new AiqError('BAD_BLOB', `the blob is not what was referred to: ${what}`);
}
