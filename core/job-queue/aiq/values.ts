/**
 * Bytes of any size over the built-in broker: small ones travel inside their message, large ones as
 * a blob that is stored before anything refers to it.
 */

import { type Client, getBlob, putBlob, wholeJob } from '../../client/index.ts';
import { type Job, limits, type Value } from '../../protocol/index.ts';
import type { JobQueue } from '../port.ts';

type Asking = Pick<Client, 'request'>;

const sha256Bytes = 32;

/** How bytes are handed to the broker. */
export async function valueOf(client: Asking, bytes: Uint8Array): Promise<Value> {
  if (bytes.length <= limits.inlineBytesMax) return { inline: bytes, blob: null };
  return { inline: null, blob: await putBlob(client, bytes) };
}

/** The bytes that the broker handed over; null when it has none. A copy, which pins no frame. */
export async function bytesOf(client: Asking, value: Value | null): Promise<Uint8Array | null> {
  if (value === null) return null;
  if (value.blob !== null) return getBlob(client, value.blob);
  return new Uint8Array(value.inline ?? []);
}

/** True for a job whose body does not travel with it. */
export function isLarge(job: Job): boolean {
  return job.body.length > limits.inlineBytesMax;
}

/** The jobs as they travel: with a reference for each large body, which is stored first. */
export async function storeBodies(client: Asking, jobs: readonly Job[]): Promise<Job[]> {
  const stored: Job[] = [];
  for (const job of jobs) stored.push(isLarge(job) ? await storeBody(client, job) : job);
  return stored;
}

async function storeBody(client: Asking, job: Job): Promise<Job> {
  const totalBytes = job.body.length;
  // Over the limit: the broker refuses the job by the size that it announces, as it does any other.
  const isStorable = totalBytes <= limits.blobBytesMax;
  const bodyRef = isStorable
    ? await putBlob(client, job.body)
    : { sha256: new Uint8Array(sha256Bytes), totalBytes };
  return { ...job, body: new Uint8Array(0), bodyRef };
}

/** The part of the port that carries bytes. */
export function valuesOf(
  client: Asking,
): Pick<JobQueue, 'wholeJob' | 'putBlob' | 'getBlob' | 'journalGet'> {
  return {
    wholeJob: (job) => wholeJob(client, job),
    putBlob: (content) => putBlob(client, content),
    getBlob: (ref, signal) => getBlob(client, ref, signal),
    async journalGet(id, callHash) {
      return bytesOf(client, (await client.request('JournalGet', { id, callHash })).value);
    },
  };
}
