/** Reading a job's bytes, with every check that broker and consumer rely on. */

import { AiqError } from './error-codes.ts';
import { idBytes, idToText } from './ids.ts';
import {
  bodyRefBytes,
  type Crc32,
  checksumBytes,
  critical,
  isKey,
  isQueueName,
  isTag,
  type Job,
  type JobFieldName,
  jobFields,
  plainJob,
  sha256Bytes,
} from './job.ts';
import { limits } from './limits.ts';
import type { BlobRef } from './message-types.ts';
import { type Priority, priorities } from './structs.ts';
import { Reader } from './wire.ts';

const attemptsMaxLimit = 1000;
const digestBytes = 16;
const agentDigestBytes = 32;

/** True when the checksum in front fits the bytes. */
export function jobChecksumFits(encoded: Uint8Array, crc32: Crc32): boolean {
  if (encoded.length <= checksumBytes) return false;
  const view = new DataView(encoded.buffer, encoded.byteOffset, checksumBytes);
  return view.getUint32(0) === crc32(encoded.subarray(checksumBytes));
}

const fieldByTag = new Map<number, JobFieldName>(
  (Object.keys(jobFields) as JobFieldName[]).map((name) => [jobFields[name].tag, name]),
);

/**
 * Reads a job's fields; `body`, `digest` and `agentDigest` are views into `encoded`. The checksum
 * is the caller's business (`jobChecksumFits`).
 * @throws AiqError `BAD_JOB`, `JOB_TOO_LARGE`, or `UNSUPPORTED` for a critical field that v1 does
 *   not serve or does not know
 */
export function decodeJob(encoded: Uint8Array): Job {
  if (encoded.length > limits.jobBytesMax) {
    throw new AiqError(
      'JOB_TOO_LARGE',
      `the job has ${encoded.length} bytes; ${limits.jobBytesMax} are allowed`,
    );
  }
  try {
    const job = jobOf(readFields(encoded));
    assertRestFits(encoded.length - job.body.length);
    if (job.body.length > 0 && job.bodyRef !== null) throw bad('it has a body and a bodyRef');
    return job;
  } catch (error) {
    // The primitive readers speak of frames; here it is the job that is malformed.
    throw error instanceof AiqError && error.code === 'BAD_FRAME' ? bad(error.message) : error;
  }
}

/**
 * The same for a job that is to be accepted: a field that is known by its number must have its tag,
 * or one reader would take it for another field than the next.
 * @throws AiqError what `decodeJob` throws
 */
export function decodeNewJob(encoded: Uint8Array): Job {
  const job = decodeJob(encoded);
  const reader = new Reader(encoded.subarray(checksumBytes));
  while (reader.remaining > 0) {
    const tag = reader.u16();
    reader.bytes();
    const name = fieldByTag.get(tag) === undefined ? fieldByTag.get(tag ^ critical) : undefined;
    if (name === undefined) continue;
    const wanted =
      (tag & critical) === 0 ? 'must be marked critical' : 'must not be marked critical';
    throw bad(`field ${name} (tag ${tag & ~critical}) ${wanted}`);
  }
  return job;
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

function readFields(encoded: Uint8Array): Map<JobFieldName, Uint8Array> {
  const found = new Map<JobFieldName, Uint8Array>();
  const reader = new Reader(encoded.subarray(checksumBytes));
  while (reader.remaining > 0) {
    const tag = reader.u16();
    const value = reader.bytes();
    const name = fieldByTag.get(tag);
    if (name === undefined || !jobFields[name].served) refuseIfCritical(tag, name);
    else if (found.has(name)) throw bad(`field ${name} appears twice`);
    else found.set(name, value);
  }
  return found;
}

function refuseIfCritical(tag: number, name: JobFieldName | undefined): void {
  if ((tag & critical) === 0) return;
  const misplaced = fieldByTag.get(tag ^ critical);
  if (misplaced !== undefined) throw bad(`field ${misplaced} must not be marked critical`);
  const what = name ?? `with tag ${tag & ~critical}`;
  throw new AiqError('UNSUPPORTED', `this broker does not serve the critical job field ${what}`);
}

function jobOf(found: Map<JobFieldName, Uint8Array>): Job {
  return {
    id: idToText(sized(required(found, 'id'), 'id', idBytes)),
    queue: queueNameOf(textOf(required(found, 'queue'), 'queue')),
    digest: sized(required(found, 'digest'), 'digest', digestBytes),
    body: bodyOf(required(found, 'body')),
    agent: textOf(found.get('agent'), 'agent'),
    agentDigest: agentDigestOf(found.get('agentDigest')),
    source: textOf(found.get('source'), 'source'),
    createdAtMs: numberOf(found.get('createdAtMs'), 'createdAtMs', 0, Number.MAX_SAFE_INTEGER),
    attemptsMax: numberOf(
      found.get('attemptsMax'),
      'attemptsMax',
      plainJob.attemptsMax,
      attemptsMaxLimit,
    ),
    delayMs: numberOf(found.get('delayMs'), 'delayMs', 0, limits.delayMsMax),
    ...optionsOf(found),
  };
}

function required(found: Map<JobFieldName, Uint8Array>, name: JobFieldName): Uint8Array {
  const value = found.get(name);
  if (value === undefined) throw bad(`field ${name} is missing`);
  return value;
}

function sized(value: Uint8Array, name: JobFieldName, bytes: number): Uint8Array {
  if (value.length === bytes) return value;
  throw bad(`field ${name} has ${value.length} bytes, not ${bytes}`);
}

function optionsOf(
  found: Map<JobFieldName, Uint8Array>,
): Pick<Job, 'runAtMs' | 'expiresAtMs' | 'priority' | 'tags' | 'parkKey' | 'bodyRef'> {
  return {
    runAtMs: numberOf(found.get('runAtMs'), 'runAtMs', 0, Number.MAX_SAFE_INTEGER),
    expiresAtMs: numberOf(found.get('expiresAtMs'), 'expiresAtMs', 0, Number.MAX_SAFE_INTEGER),
    priority: priorityOf(found.get('priority')),
    tags: tagsOf(textOf(found.get('tags'), 'tags')),
    parkKey: keyOf(textOf(found.get('parkKey'), 'parkKey')),
    bodyRef: bodyRefOf(found.get('bodyRef')),
  };
}

const priorityNames = new Map<number, Priority>(
  (Object.keys(priorities) as Priority[]).map((name) => [priorities[name], name]),
);

function priorityOf(value: Uint8Array | undefined): Priority {
  if (value === undefined) return plainJob.priority;
  const name = value.length === 1 ? priorityNames.get(value[0] ?? 0) : undefined;
  if (name === undefined) throw bad('field priority is not one of 1 to 5');
  return name;
}

function tagsOf(joined: string): readonly string[] {
  if (joined === '') return plainJob.tags;
  const tags = joined.split('\n');
  if (tags.length > limits.tagsMax) throw bad(`it has more than ${limits.tagsMax} tags`);
  const wrong = tags.find((tag) => !isTag(tag));
  if (wrong !== undefined) throw bad(`not a tag: ${JSON.stringify(wrong.slice(0, 60))}`);
  return tags;
}

function keyOf(key: string): string {
  if (key !== '' && !isKey(key)) throw bad(`not a park key: ${JSON.stringify(key.slice(0, 60))}`);
  return key;
}

function bodyOf(body: Uint8Array): Uint8Array {
  assertBodyFits(body.length, limits.jobBodyBytesMax);
  return body;
}

function bodyRefOf(value: Uint8Array | undefined): BlobRef | null {
  if (value === undefined) return null;
  const totalBytes = new Reader(sized(value, 'bodyRef', bodyRefBytes).subarray(sha256Bytes)).u53();
  assertBodyFits(totalBytes, limits.blobBytesMax);
  return { sha256: value.subarray(0, sha256Bytes), totalBytes };
}

function assertBodyFits(bytes: number, bytesMax: number): void {
  if (bytes <= bytesMax) return;
  const message = `the job's body has ${bytes} bytes; ${bytesMax} are allowed`;
  throw new AiqError('JOB_TOO_LARGE', message);
}

function agentDigestOf(value: Uint8Array | undefined): Uint8Array {
  if (value === undefined || value.length === 0) return new Uint8Array(0);
  return sized(value, 'agentDigest', agentDigestBytes);
}

function queueNameOf(name: string): string {
  if (!isQueueName(name)) throw bad(`not a queue name: ${JSON.stringify(name.slice(0, 60))}`);
  return name;
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(value: Uint8Array | undefined, name: JobFieldName): string {
  if (value === undefined) return '';
  try {
    return strictUtf8.decode(value);
  } catch {
    throw bad(`field ${name} is not UTF-8`);
  }
}

function numberOf(
  value: Uint8Array | undefined,
  name: JobFieldName,
  fallback: number,
  max: number,
): number {
  if (value === undefined) return fallback;
  const width = jobFields[name].type === 'u53' ? 8 : 4;
  if (value.length !== width) throw bad(`field ${name} has ${value.length} bytes, not ${width}`);
  const reader = new Reader(value);
  const number = width === 8 ? reader.u53() : reader.u32();
  if (number > max) throw bad(`field ${name} is ${number}; at most ${max} is allowed`);
  if (name === 'attemptsMax' && number < 1) throw bad('field attemptsMax must be at least 1');
  return number;
}

function bad(what: string): AiqError {
  return new AiqError('BAD_JOB', `bad job: ${what}`);
}
