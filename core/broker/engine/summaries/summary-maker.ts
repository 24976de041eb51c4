/** Makes summaries of sealed segments in a thread of its own, which runs while there are some to make. */

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { LogDamagedError, type SealedSegment } from '../../log/contract.ts';
import { RetryLater } from '../../log/write/make-summary.ts';
import type { SummaryAnswer, SummaryOrder } from './summary-messages.ts';

/** The thread ends after so long without an order. */
const idleMs = 2_000;
/** Records of a summary are short-lived. */
const resourceLimits = { maxYoungGenerationSizeMb: 8 };

export class SummaryThread {
  readonly #dir: string;
  #worker: Worker | null = null;
  #idle: NodeJS.Timeout | undefined;

  /** @param dir the folder of the segments */
  constructor(dir: string) {
    this.#dir = dir;
  }

  /**
   * The content of the segment's summary; one at a time.
   * @throws RetryLater (rejects with it) when it cannot be made just now
   * @throws LogDamagedError (rejects with it) when the segment is damaged
   */
  async make(segment: SealedSegment): Promise<readonly Uint8Array[]> {
    clearTimeout(this.#idle);
    const worker = this.#worker ?? this.#start();
    const { promise, resolve, reject } = Promise.withResolvers<SummaryAnswer>();
    const onExit = (): void => reject(new RetryLater('the thread that makes summaries ended'));
    worker.once('message', resolve).once('exit', onExit);
    worker.postMessage(this.#orderOf(segment), []);
    try {
      return contentOf(await promise);
    } finally {
      worker.off('message', resolve).off('exit', onExit);
      this.#idle = setTimeout(() => void this.stop(), idleMs).unref();
    }
  }

  #orderOf({ index, number, firstOffset, lastOffset, bytes, before, after }: SealedSegment) {
    const { rows } = index;
    const order: SummaryOrder = {
      number,
      firstOffset,
      lastOffset,
      bytes,
      before,
      after,
      rows,
      dir: this.#dir,
    };
    return order;
  }

  /** Ends the thread. A summary that is being made is given up. */
  async stop(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#worker?.terminate();
  }

  #start(): Worker {
    // The extension of this file, because the built package holds .js files only.
    const entry = new URL(`./summary-thread${extname(import.meta.url)}`, import.meta.url);
    const worker = new Worker(entry, { execArgv: [], name: 'aiq-summaries', resourceLimits });
    // Its end is noticed by `exit`, which follows.
    worker.on('error', () => undefined);
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = null;
    });
    worker.unref();
    this.#worker = worker;
    return worker;
  }
}

function contentOf(answer: SummaryAnswer): readonly Uint8Array[] {
  if (answer.type === 'made') return answer.content;
  if (answer.type === 'failed') throw new RetryLater(answer.message);
  throw new LogDamagedError(answer.file, answer.atByte, answer.message);
}
