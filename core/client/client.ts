/**
 * A client that asks: enqueue, and any request of the protocol. It connects at its first request
 * and again whenever it has something to ask; it holds no leases (see `consumer.ts`).
 */

import { crc32 } from 'node:zlib';
import { asError } from '../base/index.ts';
import {
  AiqError,
  type AnswerOf,
  errorCodes,
  type Job,
  JobEncoder,
  type Message,
  type RequestName,
} from '../protocol/index.ts';
import {
  Batcher,
  batchLimits,
  frameOverheadBytes,
  itemOverheadBytes,
  oneForEach,
} from './batcher.ts';
import type { RequestOptions } from './requests.ts';
import { Session, type SessionOptions } from './session.ts';

export type EnqueueAnswer = Message<'EnqueueOk'>['items'][number];
export type BrokerStats = Message<'StatsOk'>;

interface EncodedJob {
  readonly id: string;
  readonly bytes: Uint8Array;
}

export class Client {
  readonly #session: Session;
  readonly #enqueues: Batcher<EncodedJob, EnqueueAnswer>;
  readonly #jobs = new JobEncoder(crc32);

  constructor(options: SessionOptions) {
    this.#session = new Session(options, {
      staysConnected: false,
      restore: () => Promise.resolve(),
      onPush: () => undefined,
    });
    this.#enqueues = new Batcher({
      bytesOf: ({ bytes }) => bytes.length + itemOverheadBytes,
      limits: () => batchLimits(this.#session),
      send: (jobs, bytes) => this.#sendJobs(jobs, bytes, false),
    });
  }

  /** Connects when that is still to be done, and returns what the broker said of itself. */
  opened(options?: Partial<RequestOptions>): Promise<Message<'HelloOk'>> {
    return this.#session.opened(options);
  }

  /**
   * Any request. Sent again over a new connection when repeating it is safe.
   * @throws AiqError the broker's code, or `UNREACHABLE`, `OUTCOME_UNKNOWN`, `TIMEOUT`, `CLOSED`
   */
  request<N extends RequestName>(
    name: N,
    fields: Message<N>,
    options?: Partial<RequestOptions>,
  ): Promise<Message<AnswerOf<N>>> {
    return this.#session.request(name, fields, options);
  }

  /**
   * Puts jobs into their queues; every accepted one is durable when this resolves. Calls of one
   * turn share frames, and large batches are cut into several, unless `atomic`.
   * @throws AiqError `TOO_MANY_ITEMS` or `FRAME_TOO_LARGE` when an atomic batch fits no frame
   */
  enqueue(jobs: readonly Job[], atomic = false): Promise<EnqueueAnswer[]> {
    const hello = this.#session.openHello;
    if (hello === null) return this.#enqueueOnceOpen(jobs, atomic);
    try {
      return this.#enqueue(jobs, atomic, hello.jobBytesMax);
    } catch (error) {
      return Promise.reject(asError(error));
    }
  }

  async #enqueueOnceOpen(jobs: readonly Job[], atomic: boolean): Promise<EnqueueAnswer[]> {
    const { jobBytesMax } = await this.#session.opened();
    return this.#enqueue(jobs, atomic, jobBytesMax);
  }

  #enqueue(jobs: readonly Job[], atomic: boolean, jobBytesMax: number): Promise<EnqueueAnswer[]> {
    const encoded = jobs.map((job) => ({ id: job.id, bytes: this.#jobs.encode(job) }));
    const isSmall = ({ bytes }: EncodedJob): boolean => bytes.length <= jobBytesMax;
    if (!encoded.every(isSmall)) return this.#enqueueSmall(encoded, atomic, jobBytesMax);
    return atomic ? this.#enqueueAtomic(encoded) : this.#enqueues.add(encoded);
  }

  /** Refuses what is too large, and with it all of an atomic batch. */
  async #enqueueSmall(
    encoded: readonly EncodedJob[],
    atomic: boolean,
    jobBytesMax: number,
  ): Promise<EnqueueAnswer[]> {
    const isSmall = ({ bytes }: EncodedJob): boolean => bytes.length <= jobBytesMax;
    const accepted = atomic ? [] : await this.#enqueues.add(encoded.filter(isSmall));
    const remaining = accepted.values();
    return encoded.map((job) => {
      if (!isSmall(job)) return tooLarge(job, jobBytesMax);
      return remaining.next().value ?? refusedWithBatch(job);
    });
  }

  /** Says Goodbye and closes; everything still unanswered rejects. */
  async close(): Promise<void> {
    this.#enqueues.flush();
    await this.#session.close();
  }

  async #enqueueAtomic(jobs: readonly EncodedJob[]): Promise<EnqueueAnswer[]> {
    const { batchItemsMax } = await this.#session.opened();
    const bytes = jobs.reduce((sum, job) => sum + job.bytes.length + itemOverheadBytes, 0);
    if (jobs.length > batchItemsMax) {
      const message = `an atomic batch of ${jobs.length} jobs; the broker allows ${batchItemsMax}`;
      throw new AiqError('TOO_MANY_ITEMS', message);
    }
    return [...(await this.#sendJobs(jobs, bytes, true))];
  }

  async #sendJobs(
    jobs: readonly EncodedJob[],
    bytes: number,
    atomic: boolean,
  ): Promise<readonly EnqueueAnswer[]> {
    const fields = { atomic, jobs: jobs.map((job) => job.bytes) };
    const bytesHint = bytes + frameOverheadBytes;
    const { items } = await this.#session.request('Enqueue', fields, { bytesHint });
    return oneForEach(jobs, items);
  }
}

function tooLarge({ id, bytes }: EncodedJob, jobBytesMax: number): EnqueueAnswer {
  const message = `the job takes ${bytes.length} bytes; the broker allows ${jobBytesMax}`;
  return refused(id, 'JOB_TOO_LARGE', message);
}

function refusedWithBatch({ id }: EncodedJob): EnqueueAnswer {
  return refused(id, 'BATCH_REFUSED', 'another job of the atomic batch is too large');
}

function refused(
  id: string,
  code: 'JOB_TOO_LARGE' | 'BATCH_REFUSED',
  message: string,
): EnqueueAnswer {
  return { id, outcome: 'refused', state: 'none', code: errorCodes[code].number, message };
}
