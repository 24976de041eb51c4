/**
 * The job: encoded once by the producer (`encode-job.ts`), and the same bytes on the wire, in the
 * log and in the delivery (`decode-job.ts`). Layout: crc32 (u32) over the rest, then fields, each as
 * tag u16, length u32, value. The top bit of a tag marks the field *critical*: a broker or consumer
 * that does not know it must refuse the job. Unknown fields without that bit are kept and passed on.
 */

import { limits } from '../limits.ts';
import type { BlobRef } from '../message-types.ts';
import type { Priority } from '../structs.ts';

/** Bit of a tag that marks the field critical. */
export const critical = 0x8000;

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
  batch: { tag: critical | 68, type: 'text', served: true },
  group: { tag: critical | 69, type: 'text', served: false },
  costBound: { tag: critical | 70, type: 'u53', served: false },
  gates: { tag: critical | 71, type: 'bytes', served: false },
  parkKey: { tag: critical | 72, type: 'text', served: true },
  runAtMs: { tag: critical | 73, type: 'u53', served: true },
} as const;

export type JobFieldName = keyof typeof jobFields;

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
  /** Name of what was enqueued together, by the rules of a tag; empty for none. */
  readonly batch: string;
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
  batch: '',
  bodyRef: null,
} as const satisfies Partial<Job>;

/** The checksum over a job's bytes: CRC-32 of IEEE 802.3, as `node:zlib` computes it. */
export type Crc32 = (bytes: Uint8Array) => number;

/** A job to be encoded: what `plainJob` has may be left out. */
export type NewJob = Omit<Job, keyof typeof plainJob> & Partial<Pick<Job, keyof typeof plainJob>>;

/** Lengths of what a job carries in fixed width. */
export const checksumBytes = 4;
export const sha256Bytes = 32;
export const bodyRefBytes: number = sha256Bytes + 8;

/** ASCII that prints: what people can type, and what needs no quoting in a shell or a listing. */
const wordPattern = /^[\x21-\x7e]+$/;
const queuePattern = /^[a-z0-9]+([._-][a-z0-9]+)*$/;

/** True for a tag or key: 1 to `bytesMax` bytes, no white space, no control characters. */
function isWord(text: string, bytesMax: number): boolean {
  return text.length <= bytesMax && wordPattern.test(text);
}

export function isTag(tag: string): boolean {
  return isWord(tag, limits.tagBytesMax);
}

/** True for a park key. */
export function isKey(key: string): boolean {
  return isWord(key, limits.keyBytesMax);
}

/** True for a name that a queue may have: lower-case words joined by `.`, `_` or `-`. */
export function isQueueName(name: string): boolean {
  return name.length <= limits.queueNameBytesMax && queuePattern.test(name);
}

/** Control characters, line breaks among them, and those that turn the direction of text. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/** True for a name that a client may give itself in Hello. */
export function isClientName(name: string): boolean {
  // UTF-16 units are never more than UTF-8 bytes, and take at most three each.
  const bytesMax = limits.clientNameBytesMax;
  if (name.length > bytesMax || unprintable.test(name)) return false;
  return name.length * 3 <= bytesMax || new TextEncoder().encode(name).length <= bytesMax;
}
