/**
 * Entry of the history's thread: owns the database, and communicates with the broker through
 * `thread-messages.ts` only. An error in it costs only search for a while.
 */

import { performance } from 'node:perf_hooks';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../base/index.ts';
import { AiqError } from '../../protocol/index.ts';
import { IdleMemory } from '../idle-memory.ts';
import { Backlog } from './backlog.ts';
import { needsRebuild, type OpenedDatabase, openDatabase, remakeDatabase } from './database.ts';
import { Projection } from './projection.ts';
import { search } from './search.ts';
import type { FromThread, ThreadSetup, ToThread } from './thread-messages.ts';

class HistoryThread {
  readonly #port: MessagePort;
  readonly #opened: OpenedDatabase;
  readonly #projection: Projection;
  readonly #setup: ThreadSetup;
  readonly #backlog = new Backlog();
  readonly #memory = new IdleMemory();
  readonly #searches: Extract<ToThread, { type: 'search' }>[] = [];
  /** A search waits for this offset. */
  #neededUpTo = 0;
  /** The backlog has waited for `gatherMs`. */
  #hasGathered = false;
  #gathering: NodeJS.Timeout | undefined;
  #isScheduled = false;
  #isClosed = false;

  /** @throws Error when the file can neither be opened nor rebuilt */
  constructor(setup: ThreadSetup, port: MessagePort) {
    const { file, log, rebuild } = setup;
    this.#port = port;
    this.#setup = setup;
    this.#opened = rebuild ? remakeDatabase(file, log) : openDatabase(file, log);
    const { offset, rebuiltBecause } = this.#opened;
    this.#projection = new Projection(this.#opened.db, offset);
    this.#post({ type: 'opened', offset, rebuiltBecause });
  }

  take(message: ToThread): void {
    switch (message.type) {
      case 'chunk':
        this.#backlog.add(message.chunk);
        break;
      case 'applyUpTo':
        this.#neededUpTo = Math.max(this.#neededUpTo, message.offset);
        break;
      case 'search':
        this.#searches.push(message);
        break;
      case 'close':
        this.#end();
        return;
    }
    this.#schedule();
  }

  /** One piece of work per turn, so that a new search does not wait for several. */
  #schedule(): void {
    if (this.#isScheduled || this.#isClosed) return;
    if (this.#searches.length === 0 && !this.#mustApply()) {
      this.#gather();
      return;
    }
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#guard(() => this.#work());
      this.#schedule();
    });
  }

  #mustApply(): boolean {
    if (this.#backlog.isEmpty) return false;
    return this.#hasGathered || this.#backlog.isLarge || this.#projection.offset < this.#neededUpTo;
  }

  /** Lets the backlog grow for `gatherMs`. */
  #gather(): void {
    if (this.#backlog.isEmpty || this.#gathering !== undefined) return;
    this.#gathering = setTimeout(() => {
      this.#gathering = undefined;
      this.#hasGathered = true;
      this.#schedule();
    }, this.#setup.gatherMs);
  }

  /** After an error the thread ends, and the broker restarts it. */
  #guard(work: () => void): void {
    if (this.#isClosed) return;
    try {
      work();
    } catch (error) {
      reportFailure(this.#port, error);
      this.#end();
    }
  }

  #work(): void {
    this.#memory.touch();
    const request = this.#searches.shift();
    if (request === undefined) this.#apply();
    else this.#search(request);
  }

  #apply(): void {
    const portion = this.#backlog.take();
    if (portion === null) return;
    this.#projection.apply(portion.records, portion.upTo);
    this.#hasGathered = this.#hasGathered && !this.#backlog.isEmpty;
    this.#post({ type: 'applied', offset: portion.upTo, bytes: portion.bytes });
  }

  #search({ number, filter }: Extract<ToThread, { type: 'search' }>): void {
    const clock = {
      wallMs: () => Date.now(),
      monotonicMs: () => performance.now(),
      budgetMs: this.#setup.searchBudgetMs,
    };
    try {
      const page = search(this.#opened.db, filter, clock);
      const answer = { ...page, offset: this.#projection.offset };
      this.#post({ type: 'found', number, answer });
    } catch (error) {
      const { code, message } = error instanceof AiqError ? error : unavailable(error);
      this.#post({ type: 'refused', number, code, message });
      if (!(error instanceof AiqError)) throw error;
    }
  }

  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#gathering);
    this.#opened.db.close();
    this.#port.close();
  }

  #post(message: FromThread): void {
    post(this.#port, message);
  }
}

function unavailable(error: unknown): AiqError {
  return new AiqError('INTERNAL', `the history could not be searched: ${messageOf(error)}`);
}

function post(port: MessagePort, message: FromThread): void {
  port.postMessage(message, []);
}

/** Reports an error; the thread ends afterwards. */
function reportFailure(port: MessagePort, error: unknown): void {
  post(port, { type: 'failed', message: messageOf(error), rebuild: needsRebuild(error) });
}

if (parentPort === null) throw new Error('history-thread.ts is the entry of a worker thread');
try {
  const thread = new HistoryThread(workerData as ThreadSetup, parentPort);
  parentPort.on('message', (message: ToThread) => thread.take(message));
} catch (error) {
  reportFailure(parentPort, error);
  parentPort.close();
}
