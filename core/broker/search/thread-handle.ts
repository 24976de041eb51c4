/** The history's thread seen from the broker's side: one run of it, from its start to its end. */

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { AiqError, type Message } from '../../protocol/index.ts';
import type { Chunk } from './chunk.ts';
import type { SearchFilter } from './search-query.ts';
import type { FromThread, ThreadSetup, ToThread } from './thread-messages.ts';

/** How a run ended: asked to, or with an error after which the file may be of no use. */
export type ThreadEnd = 'closed' | { readonly error: Error; readonly rebuild: boolean };

export interface ThreadEvents {
  readonly onOpened: (offset: number, rebuiltBecause: string | null) => void;
  readonly onApplied: (offset: number, bytes: number) => void;
  /** The thread is gone; nothing comes after it. */
  readonly onEnd: (end: ThreadEnd) => void;
}

/** Heap of the thread: a chunk, the jobs of one transaction, a page. SQLite has its own bounds. */
const heapMib = 256;
/** What is decoded is soon garbage; left to itself, the thread would take 100 MB more for it. */
const youngHeapMib = 8;
/** Closing is a checkpoint; what takes longer is cut off, because the file can be rebuilt. */
const closeMs = 2_000;

interface Searcher {
  readonly resolve: (answer: Message<'SearchOk'>) => void;
  readonly reject: (error: Error) => void;
}

export class HistoryThreadHandle {
  readonly #events: ThreadEvents;
  readonly #worker: Worker;
  readonly #searchers = new Map<number, Searcher>();
  readonly #ended = Promise.withResolvers<void>();
  #searches = 0;
  #isClosing = false;
  #failure: Exclude<ThreadEnd, 'closed'> | null = null;

  constructor(setup: ThreadSetup, events: ThreadEvents) {
    this.#events = events;
    // The extension of this file, because the built package holds .js files only.
    const entry = new URL(`./history-thread${extname(import.meta.url)}`, import.meta.url);
    this.#worker = new Worker(entry, {
      workerData: setup,
      execArgv: [],
      name: 'aiq-history',
      resourceLimits: { maxOldGenerationSizeMb: heapMib, maxYoungGenerationSizeMb: youngHeapMib },
    });
    this.#worker.on('message', (message: FromThread) => this.#onMessage(message));
    this.#worker.on('error', (error: Error) => {
      this.#failure ??= { error, rebuild: true };
    });
    this.#worker.on('exit', (code) => this.#onExit(code));
    // Nothing of it is worth keeping a process alive that forgot to close it.
    this.#worker.unref();
  }

  /** Hands the chunk over: its bytes are gone here. */
  apply(chunk: Chunk): void {
    this.#tell({ type: 'chunk', chunk }, [chunk.bytes.buffer]);
  }

  /** What leads to this offset is to be applied without waiting for more. */
  hurry(offset: number): void {
    this.#tell({ type: 'hurry', offset }, []);
  }

  /** @throws AiqError (rejects with it) when a condition makes no sense, or the thread ends */
  search(filter: SearchFilter): Promise<Message<'SearchOk'>> {
    const number = ++this.#searches;
    const { promise, resolve, reject } = Promise.withResolvers<Message<'SearchOk'>>();
    this.#searchers.set(number, { resolve, reject });
    this.#tell({ type: 'search', number, filter }, []);
    return promise;
  }

  /** Settles when the thread is gone. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#tell({ type: 'close' }, []);
    const deadline = setTimeout(() => void this.#worker.terminate(), closeMs);
    await this.#ended.promise;
    clearTimeout(deadline);
  }

  #tell(message: ToThread, transfer: ArrayBuffer[]): void {
    this.#worker.postMessage(message, transfer);
  }

  #onMessage(message: FromThread): void {
    switch (message.type) {
      case 'opened':
        this.#events.onOpened(message.offset, message.rebuiltBecause);
        break;
      case 'applied':
        this.#events.onApplied(message.offset, message.bytes);
        break;
      case 'found':
        this.#searcher(message.number)?.resolve(message.answer);
        break;
      case 'refused':
        this.#searcher(message.number)?.reject(new AiqError(message.code, message.message));
        break;
      case 'failed':
        this.#failure ??= { error: new Error(message.message), rebuild: message.rebuild };
        break;
    }
  }

  #searcher(number: number): Searcher | undefined {
    const searcher = this.#searchers.get(number);
    this.#searchers.delete(number);
    return searcher;
  }

  #onExit(code: number): void {
    const error = new Error(`its thread ended with code ${code}`);
    const end = this.#isClosing ? 'closed' : (this.#failure ?? { error, rebuild: true });
    for (const { reject } of this.#searchers.values()) {
      reject(new AiqError('INTERNAL', 'the history stopped before it answered; try again'));
    }
    this.#searchers.clear();
    this.#ended.resolve();
    this.#events.onEnd(end);
  }
}
