/**
 * Entry of the history's thread: owns the database, and communicates with the broker through
 * `thread-messages.ts` only. An error in it costs only search for a while.
 */

import { performance } from 'node:perf_hooks';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../base/index.ts';
import { AiqError } from '../../protocol/index.ts';
import { IdleMemory } from '../idle-memory.ts';
import { needsRebuild, type OpenedDatabase, openDatabase, remakeDatabase } from './database.ts';
import { isOfInterest } from './job-fold.ts';
import { LogFollower, RecordsDroppedError } from './log-follower.ts';
import { Projection } from './projection.ts';
import { search } from './search.ts';
import type { FromThread, ThreadSetup, ToThread } from './thread-messages.ts';

class HistoryThread {
  readonly #port: MessagePort;
  readonly #opened: OpenedDatabase;
  readonly #projection: Projection;
  readonly #follower: LogFollower;
  readonly #setup: ThreadSetup;
  readonly #memory = new IdleMemory();
  #isClosed = false;

  /** @throws Error when the file can neither be opened nor rebuilt */
  constructor(setup: ThreadSetup, port: MessagePort) {
    const { file, log, logDir, rebuild } = setup;
    this.#port = port;
    this.#setup = setup;
    this.#opened = rebuild ? remakeDatabase(file, log) : openDatabase(file, log);
    const { offset, rebuiltBecause } = this.#opened;
    this.#projection = new Projection(this.#opened.db, offset);
    const next = Math.max(offset + 1, log.firstOffset);
    this.#follower = new LogFollower(logDir, log.logId, next, (text) =>
      this.#post({ type: 'damaged', text }),
    );
    this.#post({ type: 'opened', offset, rebuiltBecause });
  }

  /** After an error the thread ends, and the broker restarts it. */
  take(message: ToThread): void {
    if (this.#isClosed) return;
    this.#memory.touch();
    try {
      if (message.type === 'follow') this.#follow(message.upTo);
      else if (message.type === 'search') this.#search(message);
      else this.#end();
    } catch (error) {
      reportFailure(this.#port, error);
      this.#end();
    }
  }

  #follow(upTo: number): void {
    try {
      const portion = this.#follower.read(upTo);
      this.#projection.apply(portion.records.filter(isOfInterest), portion.upTo);
      this.#post({ type: 'applied', offset: portion.upTo });
    } catch (error) {
      if (!(error instanceof RecordsDroppedError)) throw error;
      this.#post({ type: 'dropped' });
    }
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
    this.#follower.close();
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
