/** Reading a job's bytes, with every check that broker and consumer rely on. */

import { AiqError } from '../error-codes.ts';
import { limits } from '../limits.ts';
import type { BlobRef } from '../message-types.ts';
import { type Priority, priorities } from '../structs.ts';
import { Reader } from '../wire.ts';
import {
  bodyRefBytes,
  type Crc32,
  checksumBytes,
  isKey,
  isQueueName,
  isTag,
  type Job,
  plainJob,
  sha256Bytes,
} from './job.ts';
import { badJob, field, JobFieldFinder } from './job-fields.ts';

const attemptsMaxLimit = 1000;
const digestBytes = 16;
const agentDigestBytes = 32;

/** True when the checksum in front fits the bytes. */
export function jobChecksumFits(encoded: Uint8Array, crc32: Crc32): boolean {
  if (encoded.length <= checksumBytes) return false;
  const view = new DataView(encoded.buffer, encoded.byteOffset, checksumBytes);
  return view.getUint32(0) === crc32(encoded.subarray(checksumBytes));
}

/** One for all: it is filled and read in one go. */
const fields = new JobFieldFinder();

/** The fields of a job that decide what becomes of it: those that the broker keeps in memory. */
export type JobCore = Pick<
  Job,
  | 'id'
  | 'queue'
  | 'digest'
  | 'priority'
  | 'attemptsMax'
  | 'delayMs'
  | 'runAtMs'
  | 'expiresAtMs'
  | 'parkKey'
  | 'batch'
  | 'bodyRef'
> & {
  /** Bytes of the input, inline or in a blob. */
  readonly bodyBytes: number;
};

/**
 * Reads those fields alone; `digest` is a view into `encoded`.
 * @throws AiqError as `decodeJob` does, for these fields
 */
export function decodeJobCore(encoded: Uint8Array): JobCore {
  assertJobFits(encoded);
  fields.find(encoded);
  return coreOf();
}

/**
 * Reads a job's fields; `body`, `digest` and `agentDigest` are views into `encoded`. The checksum
 * is the caller's business (`jobChecksumFits`).
 * @throws AiqError `BAD_JOB`, `JOB_TOO_LARGE`, or `UNSUPPORTED` for a critical field that v1 does
 *   not serve or does not know
 */
export function decodeJob(encoded: Uint8Array): Job {
  assertJobFits(encoded);
  fields.find(encoded);
  const core = coreOf();
  const { id, queue, digest, priority, attemptsMax, delayMs, runAtMs } = core;
  const { expiresAtMs, parkKey, batch, bodyRef } = core;
  const { agent, agentDigest, source, createdAtMs, tags } = textsOf();
  return {
    id,
    queue,
    digest,
    body: fields.bytes(field.body),
    agent,
    agentDigest,
    source,
    createdAtMs,
    attemptsMax,
    delayMs,
    runAtMs,
    expiresAtMs,
    priority,
    tags,
    parkKey,
    batch,
    bodyRef,
  };
}

/**
 * Checks a job that is to be accepted, and reads those fields of it that `decodeJobCore` reads: a field that is
 * known by its number must have its tag, or one reader would take it for another field than the next.
 * @throws AiqError what `decodeJob` throws
 */
export function checkNewJob(encoded: Uint8Array): JobCore {
  assertJobFits(encoded);
  fields.find(encoded);
  const core = coreOf();
  textsOf();
  fields.refuseMisplaced();
  return core;
}

function assertJobFits({ length }: Uint8Array): void {
  if (length <= limits.jobBytesMax) return;
  throw new AiqError(
    'JOB_TOO_LARGE',
    `the job has ${length} bytes; ${limits.jobBytesMax} are allowed`,
  );
}

function coreOf(): JobCore {
  const id = fields.id();
  const queue = queueNameOf();
  const digest = fields.sized(field.digest, digestBytes);
  const bodyRef = bodyRefOf();
  const { delayMsMax } = limits;
  return {
    id,
    queue,
    digest,
    priority: priorityOf(),
    attemptsMax: attemptsMaxOf(),
    delayMs: fields.number(field.delayMs, plainJob.delayMs, delayMsMax),
    runAtMs: fields.number(field.runAtMs, plainJob.runAtMs, Number.MAX_SAFE_INTEGER),
    expiresAtMs: fields.number(field.expiresAtMs, plainJob.expiresAtMs, Number.MAX_SAFE_INTEGER),
    parkKey: parkKeyOf(),
    batch: batchOf(),
    bodyRef,
    bodyBytes: bodyBytesOf(bodyRef),
  };
}

/** What is for people and for the consumer. */
function textsOf(): Pick<Job, 'agent' | 'agentDigest' | 'source' | 'createdAtMs' | 'tags'> {
  const hasDigest = fields.length(field.agentDigest) > 0;
  return {
    agent: fields.text(field.agent),
    agentDigest: hasDigest ? fields.sized(field.agentDigest, agentDigestBytes) : new Uint8Array(0),
    source: fields.text(field.source),
    createdAtMs: fields.number(field.createdAtMs, 0, Number.MAX_SAFE_INTEGER),
    tags: tagsOf(fields.text(field.tags)),
  };
}

function queueNameOf(): string {
  if (!fields.has(field.queue)) throw badJob('field queue is missing');
  const name = fields.text(field.queue);
  if (!isQueueName(name)) throw badJob(`not a queue name: ${JSON.stringify(name.slice(0, 60))}`);
  return name;
}

function attemptsMaxOf(): number {
  const attempts = fields.number(field.attemptsMax, plainJob.attemptsMax, attemptsMaxLimit);
  if (attempts < 1) throw badJob('field attemptsMax must be at least 1');
  return attempts;
}

const priorityNames = new Map<number, Priority>(
  (Object.keys(priorities) as Priority[]).map((name) => [priorities[name], name]),
);

function priorityOf(): Priority {
  if (!fields.has(field.priority)) return plainJob.priority;
  const value = fields.bytes(field.priority);
  const name = value.length === 1 ? priorityNames.get(value[0] ?? 0) : undefined;
  if (name === undefined) throw badJob('field priority is not one of 1 to 5');
  return name;
}

function parkKeyOf(): string {
  const key = fields.text(field.parkKey);
  if (key !== '' && !isKey(key))
    throw badJob(`not a park key: ${JSON.stringify(key.slice(0, 60))}`);
  return key;
}

function batchOf(): string {
  const name = fields.text(field.batch);
  if (name !== '' && !isTag(name))
    throw badJob(`not a name of a batch: ${JSON.stringify(name.slice(0, 60))}`);
  return name;
}

function tagsOf(joined: string): readonly string[] {
  if (joined === '') return plainJob.tags;
  const tags = joined.split('\n');
  if (tags.length > limits.tagsMax) throw badJob(`it has more than ${limits.tagsMax} tags`);
  const wrong = tags.find((tag) => !isTag(tag));
  if (wrong !== undefined) throw badJob(`not a tag: ${JSON.stringify(wrong.slice(0, 60))}`);
  return tags;
}

/** Bytes of the input, which is the body or in a blob. */
function bodyBytesOf(bodyRef: BlobRef | null): number {
  if (!fields.has(field.body)) throw badJob('field body is missing');
  const bytes = fields.length(field.body);
  assertBodyFits(bytes, limits.jobBodyBytesMax);
  assertRestFits(fields.jobBytes - bytes);
  if (bytes > 0 && bodyRef !== null) throw badJob('it has a body and a bodyRef');
  return bodyRef?.totalBytes ?? bytes;
}

function bodyRefOf(): BlobRef | null {
  if (!fields.has(field.bodyRef)) return null;
  const value = fields.sized(field.bodyRef, bodyRefBytes);
  const totalBytes = new Reader(value.subarray(sha256Bytes)).u53();
  assertBodyFits(totalBytes, limits.blobBytesMax);
  return { sha256: value.subarray(0, sha256Bytes), totalBytes };
}

function assertBodyFits(bytes: number, bytesMax: number): void {
  if (bytes <= bytesMax) return;
  const message = `the job's body has ${bytes} bytes; ${bytesMax} are allowed`;
  throw new AiqError('JOB_TOO_LARGE', message);
}

/** Fields beside the body are held in memory and listed by the thousand, so they stay small. */
function assertRestFits(restBytes: number): void {
  const allowedBytes = limits.jobBytesMax - limits.jobBodyBytesMax;
  if (restBytes <= allowedBytes) return;
  throw new AiqError(
    'JOB_TOO_LARGE',
    `the job has ${restBytes} bytes beside its body; ${allowedBytes} are allowed`,
  );
}
