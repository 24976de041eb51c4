/**
 * The job: encoded once by the producer, and the same bytes on the wire, in the log and in the
 * delivery. Layout: crc32 (u32) over the rest, then fields, each as tag u16, length u32, value.
 * The top bit of a tag marks the field *critical*: a broker or consumer that does not know it must
 * refuse the job. Unknown fields without that bit are kept and passed on.
 */

import { AiqError } from './error-codes.ts';
import { idBytes, idFromText, idToText } from './ids.ts';
import { limits } from './limits.ts';
import type { BlobRef } from './message-types.ts';
import { type Priority, priorities } from './structs.ts';
import { Reader, Writer } from './wire.ts';

const critical = 0x8000;

/** Every job field of v1. `served: false` fields are reserved: a broker of v1 answers UNSUPPORTED. */
export const jobFields = {
  id: { tag: critical | 1, type: 'id', served: true },
  queue: { tag: critical | 2, type: 'text', served: true },
  digest: { tag: critical | 3, type: 'bytes', served: true },
  body: { tag: critical | 4, type: 'bytes', served: true },
  attemptsMax: { tag: critical | 5, type: 'u32', served: true },
  delayMs: { tag: critical | 6, type: 'u53', served: true },
  agent: { tag: 16, type: 'text', served: true },
  agentDigest: { tag: 17, type: 'bytes', served: true },
  source: { tag: 18, type: 'text', served: true },
  createdAtMs: { tag: 19, type: 'u53', served: true },
  tags: { tag: 20, type: 'bytes', served: true },
  trace: { tag: 21, type: 'text', served: true },
  parent: { tag: 22, type: 'id', served: true },
  bodyRef: { tag: critical | 64, type: 'bytes', served: true },
  priority: { tag: critical | 65, type: 'u8', served: true },
  expiresAtMs: { tag: critical | 66, type: 'u53', served: true },
  flow: { tag: critical | 67, type: 'bytes', served: false },
  batch: { tag: critical | 68, type: 'bytes', served: false },
  group: { tag: critical | 69, type: 'text', served: false },
  costBound: { tag: critical | 70, type: 'u53', served: false },
  gates: { tag: critical | 71, type: 'bytes', served: false },
  parkKey: { tag: critical | 72, type: 'text', served: true },
  runAtMs: { tag: critical | 73, type: 'u53', served: true },
} as const;

type JobFieldName = keyof typeof jobFields;

/** A job as its fields say. */
export interface Job {
  readonly id: string;
  /** Named queue, one per job type by default. */
  readonly queue: string;
  /** 16 bytes that identify the content (agent, input, output settings): same id and other digest is a conflict. */
  readonly digest: Uint8Array;
  /** The input as JSON in UTF-8; opaque to the broker. */
  readonly body: Uint8Array;
  readonly agent: string;
  /** SHA-256 of the agent's definition at enqueue. */
  readonly agentDigest: Uint8Array;
  /** Where the input came from, for people: a file name, or empty. */
  readonly source: string;
  readonly createdAtMs: number;
  readonly attemptsMax: number;
  /** Earliest delivery after enqueue, milliseconds. */
  readonly delayMs: number;
  /** Earliest delivery, wall clock; 0 for at once. With `delayMs` the later one counts. */
  readonly runAtMs: number;
  /** Dead-lettered instead of delivered from then on, wall clock; 0 for never. */
  readonly expiresAtMs: number;
  readonly priority: Priority;
  /** For people and for search; at most `limits.tagsMax`, none empty, no white space. */
  readonly tags: readonly string[];
  /** Parked from the start until `Signal` of this key; empty for not parked. */
  readonly parkKey: string;
  /** The input when it is too large to travel inline: `body` is empty then. */
  readonly bodyRef: BlobRef | null;
}

/** What most jobs leave at its default. */
export const plainJob = {
  attemptsMax: 4,
  delayMs: 0,
  runAtMs: 0,
  expiresAtMs: 0,
  priority: 'normal',
  tags: [],
  parkKey: '',
  bodyRef: null,
} as const satisfies Partial<Job>;

/** The checksum over a job's bytes: CRC-32 of IEEE 802.3, as `node:zlib` computes it. */
export type Crc32 = (bytes: Uint8Array) => number;

/** A job to be encoded: what `plainJob` has may be left out. */
export type NewJob = Omit<Job, keyof typeof plainJob> & Partial<Pick<Job, keyof typeof plainJob>>;

export const attemptsMaxDefault: number = plainJob.attemptsMax;
const attemptsMaxLimit = 1000;
const delayMsLimit = 366 * 24 * 3600 * 1000;
const digestBytes = 16;
const agentDigestBytes = 32;
const checksumBytes = 4;
const sha256Bytes = 32;
const bodyRefBytes = sha256Bytes + 8;
/** ASCII that prints: what people can type, and what needs no care in a shell or a listing. */
const wordPattern = /^[\x21-\x7e]+$/;
const queuePattern = /^[a-z0-9]+([._-][a-z0-9]+)*$/;

/** Encodes a job with its checksum. */
export function encodeJob(newJob: NewJob, crc32: Crc32): Uint8Array<ArrayBuffer> {
  const job: Job = { ...plainJob, ...newJob };
  const writer = new Writer(256 + job.body.length);
  writer.u32(0);
  fixed(writer, 'id', idBytes, () =>
    writer.fill(idBytes, (into, offset) => idFromText(job.id, into, offset)),
  );
  text(writer, 'queue', job.queue);
  raw(writer, 'digest', job.digest);
  fixed(writer, 'attemptsMax', 4, () => writer.u32(job.attemptsMax));
  if (job.delayMs > 0) fixed(writer, 'delayMs', 8, () => writer.u53(job.delayMs));
  encodeOptions(writer, job);
  text(writer, 'agent', job.agent);
  raw(writer, 'agentDigest', job.agentDigest);
  text(writer, 'source', job.source);
  fixed(writer, 'createdAtMs', 8, () => writer.u53(job.createdAtMs));
  raw(writer, 'body', job.body);
  const bytes = writer.written();
  writer.setU32(0, crc32(bytes.subarray(checksumBytes)));
  return bytes;
}

/** The fields that most jobs do not have. */
function encodeOptions(writer: Writer, job: Job): void {
  if (job.priority !== plainJob.priority) {
    fixed(writer, 'priority', 1, () => writer.u8(priorities[job.priority]));
  }
  if (job.runAtMs > 0) fixed(writer, 'runAtMs', 8, () => writer.u53(job.runAtMs));
  if (job.expiresAtMs > 0) fixed(writer, 'expiresAtMs', 8, () => writer.u53(job.expiresAtMs));
  if (job.parkKey !== '') text(writer, 'parkKey', job.parkKey);
  if (job.tags.length > 0) text(writer, 'tags', job.tags.join('\n'));
  const { bodyRef } = job;
  if (bodyRef === null) return;
  fixed(writer, 'bodyRef', bodyRefBytes, () => {
    writer.raw(bodyRef.sha256);
    writer.u53(bodyRef.totalBytes);
  });
}

function fixed(writer: Writer, name: JobFieldName, count: number, write: () => void): void {
  writer.u16(jobFields[name].tag);
  writer.u32(count);
  write();
}

function text(writer: Writer, name: JobFieldName, value: string): void {
  writer.u16(jobFields[name].tag);
  writer.text(value);
}

function raw(writer: Writer, name: JobFieldName, value: Uint8Array): void {
  writer.u16(jobFields[name].tag);
  writer.bytes(value);
}

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
    return job;
  } catch (error) {
    // The primitive readers speak of frames; here it is the job that is malformed.
    throw error instanceof AiqError && error.code === 'BAD_FRAME' ? bad(error.message) : error;
  }
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
  const what = name ?? `with tag ${tag & ~critical}`;
  throw new AiqError('UNSUPPORTED', `this broker does not serve the critical job field ${what}`);
}

function jobOf(found: Map<JobFieldName, Uint8Array>): Job {
  const required = (name: JobFieldName): Uint8Array => {
    const value = found.get(name);
    if (value === undefined) throw bad(`field ${name} is missing`);
    return value;
  };
  const id = required('id');
  if (id.length !== idBytes) throw bad(`field id has ${id.length} bytes, not ${idBytes}`);
  const digest = required('digest');
  if (digest.length !== digestBytes) throw bad(`field digest has ${digest.length} bytes, not 16`);
  const body = required('body');
  if (body.length > 0 && found.has('bodyRef')) throw bad('it has a body and a bodyRef');
  if (body.length > limits.jobBodyBytesMax) {
    throw new AiqError(
      'JOB_TOO_LARGE',
      `the job's body has ${body.length} bytes; ${limits.jobBodyBytesMax} are allowed`,
    );
  }
  return {
    id: idToText(id),
    queue: queueNameOf(textOf(required('queue'), 'queue')),
    digest,
    body,
    agent: textOf(found.get('agent'), 'agent'),
    agentDigest: agentDigestOf(found.get('agentDigest')),
    source: textOf(found.get('source'), 'source'),
    createdAtMs: numberOf(found.get('createdAtMs'), 'createdAtMs', 0, Number.MAX_SAFE_INTEGER),
    attemptsMax: numberOf(
      found.get('attemptsMax'),
      'attemptsMax',
      attemptsMaxDefault,
      attemptsMaxLimit,
    ),
    delayMs: numberOf(found.get('delayMs'), 'delayMs', 0, delayMsLimit),
    ...optionsOf(found),
  };
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

/** True for a tag or key: 1 to `bytesMax` bytes, no white space, no control characters. */
function isWord(text: string, bytesMax: number): boolean {
  return text.length <= bytesMax && wordPattern.test(text);
}

export function isTag(tag: string): boolean {
  return isWord(tag, limits.tagBytesMax);
}

/** True for a park key or the name of a scope. */
export function isKey(key: string): boolean {
  return isWord(key, limits.keyBytesMax);
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

function bodyRefOf(value: Uint8Array | undefined): BlobRef | null {
  if (value === undefined) return null;
  if (value.length !== bodyRefBytes) throw bad(`field bodyRef has ${value.length} bytes, not 40`);
  const totalBytes = new Reader(value.subarray(sha256Bytes)).u53();
  if (totalBytes > limits.blobBytesMax) {
    throw new AiqError(
      'JOB_TOO_LARGE',
      `the job's body has ${totalBytes} bytes; ${limits.blobBytesMax} are allowed`,
    );
  }
  return { sha256: value.subarray(0, sha256Bytes), totalBytes };
}

function agentDigestOf(value: Uint8Array = new Uint8Array(0)): Uint8Array {
  if (value.length === 0 || value.length === agentDigestBytes) return value;
  throw bad(`field agentDigest has ${value.length} bytes, not ${agentDigestBytes} or none`);
}

/** True for a name that a queue may have: lower-case words joined by `.`, `_` or `-`. */
export function isQueueName(name: string): boolean {
  return name.length <= limits.queueNameBytesMax && queuePattern.test(name);
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
