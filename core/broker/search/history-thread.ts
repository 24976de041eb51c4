/**
 * Entry of the history's thread: owns the database, and speaks with the broker only through
 * `thread-messages.ts`. Whatever goes wrong in it, the broker loses nothing but search for a while.
 */

import { performance } from 'node:perf_hooks';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { AiqError } from '../../protocol/index.ts';
import { IdleMemory } from '../idle-memory.ts';
import { Backlog } from './backlog.ts';
import {
  messageOf,
  needsRebuild,
  type OpenedDatabase,
  openDatabase,
  remakeDatabase,
} from './database.ts';
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
  /** Somebody waits for this offset. */
  #forceStopUpTo = 0;
  /** The backlog has gathered for long enough. */
  #hasGathered = false;
  #gathering: NodeJS.Timeout | undefined;
  #isScheduled = false;
  #isOver = false;

  /** @throws Error when the file can neither be opened nor made anew */
  constructor(setup: ThreadSetup, port: MessagePort) {
    const { file, log, rebuild } = setup;
    this.#port = port;
    this.#setup = setup;
    this.#opened = rebuild ? remakeDatabase(file, log) : openDatabase(file, log);
    const { offset, rebuiltBecause } = this.#opened;
    this.#projection = new Projection(this.#opened.db, offset);
    this.#tell({ type: 'opened', offset, rebuiltBecause });
  }

  take(message: ToThread): void {
    switch (message.type) {
      case 'chunk':
        this.#backlog.add(message.chunk);
        break;
      case 'hurry':
        this.#forceStopUpTo = Math.max(this.#forceStopUpTo, message.offset);
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

  /** One piece of work at a time, so that a search that comes meanwhile is not kept waiting. */
  #schedule(): void {
    if (this.#isScheduled || this.#isOver) return;
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
    return (
      this.#hasGathered || this.#backlog.isLarge || this.#projection.offset < this.#forceStopUpTo
    );
  }

  /** Lets the backlog grow for a while. */
  #gather(): void {
    if (this.#backlog.isEmpty || this.#gathering !== undefined) return;
    this.#gathering = setTimeout(() => {
      this.#gathering = undefined;
      this.#hasGathered = true;
      this.#schedule();
    }, this.#setup.gatherMs);
  }

  /** After an error the thread ends, and the broker starts another one. */
  #guard(work: () => void): void {
    if (this.#isOver) return;
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
    this.#tell({ type: 'applied', offset: portion.upTo, bytes: portion.bytes });
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
      this.#tell({ type: 'found', number, answer });
    } catch (error) {
      const { code, message } = error instanceof AiqError ? error : unavailable(error);
      this.#tell({ type: 'refused', number, code, message });
      if (!(error instanceof AiqError)) throw error;
    }
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#gathering);
    this.#opened.db.close();
    this.#port.close();
  }

  #tell(message: FromThread): void {
    tell(this.#port, message);
  }
}

function unavailable(error: unknown): AiqError {
  return new AiqError('INTERNAL', `the history could not be searched: ${messageOf(error)}`);
}

function tell(port: MessagePort, message: FromThread): void {
  port.postMessage(message, []);
}

/** The thread ends after it. */
function reportFailure(port: MessagePort, error: unknown): void {
  tell(port, { type: 'failed', message: messageOf(error), rebuild: needsRebuild(error) });
}

if (parentPort === null) throw new Error('history-thread.ts is the entry of a worker thread');
try {
  const thread = new HistoryThread(workerData as ThreadSetup, parentPort);
  parentPort.on('message', (message: ToThread) => thread.take(message));
} catch (error) {
  reportFailure(parentPort, error);
  parentPort.close();
}
