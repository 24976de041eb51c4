/** The broker's handle of one history thread, from its start to its end. */

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { AiqError, type Message } from '../../protocol/index.ts';
import type { SearchFilter } from './search-query.ts';
import type { FromThread, ThreadSetup, ToThread } from './thread-messages.ts';

/** How it ended: on request, or with an error after which the file may need a rebuild. */
export type ThreadEnd = 'closed' | { readonly error: Error; readonly rebuild: boolean };

export interface ThreadEvents {
  readonly onOpened: (offset: number, rebuiltBecause: string | null) => void;
  /** A portion was applied. */
  readonly onApplied: (offset: number) => void;
  /** The log dropped records that were not read. */
  readonly onDropped: () => void;
  /** Records of the log are damaged. */
  readonly onDamaged: (text: string) => void;
  /** The thread ended; the last event. */
  readonly onEnd: (end: ThreadEnd) => void;
}

/** Heap of the thread: the jobs of one transaction, a page. SQLite has its own limits. */
const heapMib = 256;
/** Decoded records are short-lived; by default the thread would use 100 MB more for them. */
const youngHeapMib = 8;
/** Closing runs a checkpoint; the thread is terminated after this, as the file can be rebuilt. */
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
    // It must not keep the process alive.
    this.#worker.unref();
  }

  /** Asks for a portion of the log, up to this offset at most. */
  follow(upTo: number): void {
    this.#post({ type: 'follow', upTo });
  }

  /** @throws AiqError (rejects with it) when a condition makes no sense, or the thread ends */
  search(filter: SearchFilter): Promise<Message<'SearchOk'>> {
    const number = ++this.#searches;
    const { promise, resolve, reject } = Promise.withResolvers<Message<'SearchOk'>>();
    this.#searchers.set(number, { resolve, reject });
    this.#post({ type: 'search', number, filter });
    return promise;
  }

  /** Resolves when the thread has ended. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#post({ type: 'close' });
    const deadline = setTimeout(() => void this.#worker.terminate(), closeMs);
    await this.#ended.promise;
    clearTimeout(deadline);
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message, []);
  }

  #onMessage(message: FromThread): void {
    switch (message.type) {
      case 'opened':
        this.#events.onOpened(message.offset, message.rebuiltBecause);
        break;
      case 'applied':
        this.#events.onApplied(message.offset);
        break;
      case 'dropped':
        this.#events.onDropped();
        break;
      case 'damaged':
        this.#events.onDamaged(message.text);
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
