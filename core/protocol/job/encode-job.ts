/** Encoding of a job: what the producer does once. It checks nothing but that numbers fit. */

import { idBytes, idFromText } from '../ids.ts';
import { priorities } from '../structs.ts';
import { Writer } from '../wire.ts';
import {
  bodyRefBytes,
  type Crc32,
  checksumBytes,
  type Job,
  type JobFieldName,
  jobFields,
  type NewJob,
  plainJob,
} from './job.ts';

/** Most of what a job takes beside its body and its texts. */
const fixedBytes = 256;
const slabBytes = 64 * 1024;

/** Encodes a job with its checksum. */
export function encodeJob(newJob: NewJob, crc32: Crc32): Uint8Array<ArrayBuffer> {
  const writer = new Writer(fixedBytes + newJob.body.length);
  append(writer, newJob, crc32);
  return writer.written();
}

/**
 * Encodes jobs one by one into buffers that many of them share: a buffer of its own costs more than
 * the encoding of a small job. A buffer lives as long as any of its jobs.
 */
export class JobEncoder {
  readonly #crc32: Crc32;
  #slab = new Writer(0);
  #room = 0;

  constructor(crc32: Crc32) {
    this.#crc32 = crc32;
  }

  encode(job: NewJob): Uint8Array<ArrayBuffer> {
    const bytes = fixedBytes + job.body.length;
    if (bytes > slabBytes / 4) return encodeJob(job, this.#crc32);
    if (bytes > this.#room) {
      this.#slab = new Writer(slabBytes);
      this.#room = slabBytes;
    }
    const start = this.#slab.length;
    append(this.#slab, job, this.#crc32);
    this.#room = slabBytes - this.#slab.length;
    return this.#slab.written().subarray(start);
  }
}

function append(writer: Writer, newJob: NewJob, crc32: Crc32): void {
  const job: Job = { ...plainJob, ...newJob };
  const start = writer.length;
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
  writer.setU32(start, crc32(writer.written().subarray(start + checksumBytes)));
}

/** The fields that most jobs do not have. */
function encodeOptions(writer: Writer, job: Job): void {
  if (job.priority !== plainJob.priority) {
    fixed(writer, 'priority', 1, () => writer.u8(priorities[job.priority]));
  }
  if (job.runAtMs > 0) fixed(writer, 'runAtMs', 8, () => writer.u53(job.runAtMs));
  if (job.expiresAtMs > 0) fixed(writer, 'expiresAtMs', 8, () => writer.u53(job.expiresAtMs));
  if (job.parkKey !== '') text(writer, 'parkKey', job.parkKey);
  if (job.batch !== '') text(writer, 'batch', job.batch);
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
