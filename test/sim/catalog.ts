/** The jobs and blobs of a simulation, as their makers know them. */

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import {
  type BlobRef,
  encodeJob,
  idToText,
  type NewJob,
  type Priority,
  priorities,
} from '../../core/protocol/index.ts';
import type { Dice } from './dice.ts';
import type { Feature, Swarm } from './swarm.ts';

export interface KnownJob {
  readonly id: string;
  readonly queue: string;
  readonly bytes: Uint8Array;
}

/** A distinct id for each number, spread over the whole range of short ids. */
export function idOf(number: number): string {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.imul(number, 2_654_435_761));
  view.setUint32(12, number);
  return idToText(bytes);
}

export class Catalog {
  readonly #dice: Dice;
  readonly #swarm: Swarm;
  readonly #now: () => number;
  /** Every job that was ever sent, in order. */
  readonly jobs: KnownJob[] = [];
  /** Content by its hash; the last ones are referred to by jobs. */
  readonly blobs: { readonly ref: BlobRef; readonly content: Uint8Array }[] = [];
  readonly parkKeys = ['wait-a', 'wait-b', 'wait-c'];
  readonly batchNames = ['spring', '1'];
  #nextId = 1;

  constructor(dice: Dice, swarm: Swarm, now: () => number) {
    this.#dice = dice;
    this.#swarm = swarm;
    this.#now = now;
  }

  has(feature: Feature): boolean {
    return this.#swarm.features.has(feature);
  }

  /** The id of some job that was sent; a made-up one when there is none. */
  someId(): string {
    const { length } = this.jobs;
    if (length === 0) return idOf(999_999);
    // Mostly recent ones: old jobs are over.
    const back = this.#dice.chance(0.7) ? Math.min(length, 20) : length;
    return this.jobs[length - 1 - this.#dice.below(back)]?.id ?? idOf(999_999);
  }

  /** A job with a random selection of what jobs may have. */
  newJob(queue: string = this.#dice.pick(this.#swarm.queues)): KnownJob {
    const dice = this.#dice;
    const number =
      this.#swarm.ids > 1_000 ? this.#nextId++ : 1 + dice.below(this.#swarm.ids) + this.#shift();
    const body = new TextEncoder().encode(
      JSON.stringify({ number, text: 'x'.repeat(dice.below(this.#swarm.bodyBytesMax)) }),
    );
    const bodyRef =
      this.has('blobs') && this.blobs.length > 0 && dice.chance(0.2)
        ? dice.pick(this.blobs).ref
        : null;
    const job: NewJob = {
      id: idOf(number),
      queue,
      digest: new Uint8Array(16).fill(dice.chance(0.95) ? 7 : 8),
      body: bodyRef === null ? body : new Uint8Array(0),
      bodyRef,
      agent: 'agent',
      agentDigest: new Uint8Array(32),
      source: dice.chance(0.3) ? `file-${number}` : '',
      createdAtMs: 1,
      attemptsMax: dice.between(1, 4),
      ...this.#options(),
    };
    const known = { id: job.id, queue: job.queue, bytes: encodeJob(job, crc32) };
    this.jobs.push(known);
    return known;
  }

  /** New content for a blob. */
  newBlob(): { readonly ref: BlobRef; readonly content: Uint8Array } {
    const content = new Uint8Array(this.#dice.between(1, 3_000));
    for (let index = 0; index < content.length; index += 7) content[index] = this.#dice.below(256);
    const sha256 = new Uint8Array(createHash('sha256').update(content).digest());
    const blob = { ref: { sha256, totalBytes: content.length }, content };
    return blob;
  }

  /** With few ids their range moves on, so that new jobs still come. */
  #shift(): number {
    return Math.floor(this.jobs.length / this.#swarm.ids / 3) * this.#swarm.ids;
  }

  #someBatch(): string {
    return this.has('batches') && this.#dice.chance(0.7) ? this.#dice.pick(this.batchNames) : '';
  }

  #options(): Partial<NewJob> {
    const dice = this.#dice;
    const names = Object.keys(priorities) as Priority[];
    const wallMs = this.#now();
    return {
      ...(this.has('priorities') && dice.chance(0.5) ? { priority: dice.pick(names) } : {}),
      ...(this.has('delays') && dice.chance(0.3) ? { delayMs: dice.between(1, 800) } : {}),
      ...(this.has('delays') && dice.chance(0.1)
        ? { runAtMs: Math.max(0, wallMs + dice.between(-500, 1_500)) }
        : {}),
      ...(this.has('expiry') && dice.chance(0.2)
        ? { expiresAtMs: wallMs + dice.between(1, 3_000) }
        : {}),
      ...(this.has('tags') && dice.chance(0.3) ? { tags: ['one', `tag-${dice.below(5)}`] } : {}),
      batch: this.#someBatch(),
      ...(this.has('parking') && dice.chance(0.15) ? { parkKey: dice.pick(this.parkKeys) } : {}),
    };
  }
}
