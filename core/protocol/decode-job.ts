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

const fieldNames = Object.keys(jobFields) as JobFieldName[];
const fieldByTag = new Map<number, JobFieldName>(
  fieldNames.map((name) => [jobFields[name].tag, name]),
);

/** The fields by number, from 0 on. */
const field = Object.fromEntries(fieldNames.map((name, number) => [name, number])) as Readonly<
  Record<JobFieldName, number>
>;
/** Bytes of numbers, by number of the field. */
const widths = fieldNames.map((name) => (jobFields[name].type === 'u53' ? 8 : 4));

/** Where the fields of a job lie in its bytes: found in one pass, without an object for each. */
class Fields {
  #bytes: Uint8Array = new Uint8Array(0);
  /** By number of the field; a field that is missing begins at 0, where the checksum is. */
  readonly #starts = new Uint32Array(fieldNames.length);
  readonly #ends = new Uint32Array(fieldNames.length);
  readonly #numberByTag = new Map(fieldNames.map((name, number) => [jobFields[name].tag, number]));

  /** Finds the fields of a job. What was found before is forgotten. */
  find(encoded: Uint8Array): void {
    this.#bytes = encoded;
    this.#starts.fill(0);
    for (let at = checksumBytes; at < encoded.length; ) {
      const start = at + tagBytes + lengthBytes;
      if (start > encoded.length) throw bad('the bytes end inside a field');
      const tag = this.#u16(at);
      at = start + this.#u32(at + tagBytes);
      if (at > encoded.length) throw bad('the bytes end inside a field');
      const number = this.#numberByTag.get(tag);
      const name = number === undefined ? undefined : fieldNames[number];
      if (number === undefined || name === undefined || !jobFields[name].served) {
        refuseIfCritical(tag, name);
      } else if (this.has(number)) throw bad(`field ${name} appears twice`);
      else {
        this.#starts[number] = start;
        this.#ends[number] = at;
      }
    }
  }

  get jobBytes(): number {
    return this.#bytes.length;
  }

  has(number: number): boolean {
    return this.#starts[number] !== 0;
  }

  /** Its bytes, a view; none when the field is missing. */
  bytes(number: number): Uint8Array {
    return this.#bytes.subarray(this.#starts[number], this.length(number) + this.start(number));
  }

  start(number: number): number {
    return this.#starts[number] ?? 0;
  }

  length(number: number): number {
    const start = this.start(number);
    return start === 0 ? 0 : (this.#ends[number] ?? 0) - start;
  }

  /** Its bytes, which must be there and so many. */
  sized(number: number, bytes: number): Uint8Array {
    this.#expectBytes(number, bytes);
    return this.bytes(number);
  }

  id(): string {
    this.#expectBytes(field.id, idBytes);
    return idToText(this.#bytes, this.start(field.id));
  }

  /** Empty when the field is missing. */
  text(number: number): string {
    if (this.length(number) === 0) return '';
    try {
      return strictUtf8.decode(this.bytes(number));
    } catch {
      throw bad(`field ${fieldNames[number]} is not UTF-8`);
    }
  }

  number(number: number, fallback: number, max: number): number {
    const start = this.start(number);
    if (start === 0) return fallback;
    const width = widths[number] ?? 4;
    this.#expectBytes(number, width);
    const value = width === 8 ? this.#u53(start) : this.#u32(start);
    if (value > max) {
      throw bad(`field ${fieldNames[number]} is ${value}; at most ${max} is allowed`);
    }
    return value;
  }

  /** @throws AiqError `BAD_JOB` when a field is known by its number and has not its tag */
  refuseMisplaced(): void {
    const bytes = this.#bytes;
    for (
      let at = checksumBytes;
      at < bytes.length;
      at += tagBytes + lengthBytes + this.#u32(at + tagBytes)
    ) {
      const tag = this.#u16(at);
      if (this.#numberByTag.has(tag)) continue;
      const name = fieldByTag.get(tag ^ critical);
      if (name === undefined) continue;
      const wanted =
        (tag & critical) === 0 ? 'must be marked critical' : 'must not be marked critical';
      throw bad(`field ${name} (tag ${tag & ~critical}) ${wanted}`);
    }
  }

  #expectBytes(number: number, bytes: number): void {
    const name = fieldNames[number];
    if (!this.has(number)) throw bad(`field ${name} is missing`);
    const length = this.length(number);
    if (length !== bytes) throw bad(`field ${name} has ${length} bytes, not ${bytes}`);
  }

  #u16(at: number): number {
    return ((this.#bytes[at] ?? 0) << 8) | (this.#bytes[at + 1] ?? 0);
  }

  #u32(at: number): number {
    return this.#u16(at) * 0x1_0000 + this.#u16(at + 2);
  }

  #u53(at: number): number {
    const value = this.#u32(at) * 0x1_0000_0000 + this.#u32(at + 4);
    if (!Number.isSafeInteger(value)) throw bad('an integer is over 2^53 - 1');
    return value;
  }
}

const tagBytes = 2;
const lengthBytes = 4;
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** One for all: it is filled and read in one go. */
const fields = new Fields();

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
  const { expiresAtMs, parkKey, bodyRef } = core;
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
  if (!fields.has(field.queue)) throw bad('field queue is missing');
  const name = fields.text(field.queue);
  if (!isQueueName(name)) throw bad(`not a queue name: ${JSON.stringify(name.slice(0, 60))}`);
  return name;
}

function attemptsMaxOf(): number {
  const attempts = fields.number(field.attemptsMax, plainJob.attemptsMax, attemptsMaxLimit);
  if (attempts < 1) throw bad('field attemptsMax must be at least 1');
  return attempts;
}

const priorityNames = new Map<number, Priority>(
  (Object.keys(priorities) as Priority[]).map((name) => [priorities[name], name]),
);

function priorityOf(): Priority {
  if (!fields.has(field.priority)) return plainJob.priority;
  const value = fields.bytes(field.priority);
  const name = value.length === 1 ? priorityNames.get(value[0] ?? 0) : undefined;
  if (name === undefined) throw bad('field priority is not one of 1 to 5');
  return name;
}

function parkKeyOf(): string {
  const key = fields.text(field.parkKey);
  if (key !== '' && !isKey(key)) throw bad(`not a park key: ${JSON.stringify(key.slice(0, 60))}`);
  return key;
}

function tagsOf(joined: string): readonly string[] {
  if (joined === '') return plainJob.tags;
  const tags = joined.split('\n');
  if (tags.length > limits.tagsMax) throw bad(`it has more than ${limits.tagsMax} tags`);
  const wrong = tags.find((tag) => !isTag(tag));
  if (wrong !== undefined) throw bad(`not a tag: ${JSON.stringify(wrong.slice(0, 60))}`);
  return tags;
}

/** Bytes of the input, which is the body or in a blob. */
function bodyBytesOf(bodyRef: BlobRef | null): number {
  if (!fields.has(field.body)) throw bad('field body is missing');
  const bytes = fields.length(field.body);
  assertBodyFits(bytes, limits.jobBodyBytesMax);
  assertRestFits(fields.jobBytes - bytes);
  if (bytes > 0 && bodyRef !== null) throw bad('it has a body and a bodyRef');
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

function refuseIfCritical(tag: number, name: JobFieldName | undefined): void {
  if ((tag & critical) === 0) return;
  const misplaced = fieldByTag.get(tag ^ critical);
  if (misplaced !== undefined) throw bad(`field ${misplaced} must not be marked critical`);
  const what = name ?? `with tag ${tag & ~critical}`;
  throw new AiqError('UNSUPPORTED', `this broker does not serve the critical job field ${what}`);
}

function bad(what: string): AiqError {
  return new AiqError('BAD_JOB', `bad job: ${what}`);
}
