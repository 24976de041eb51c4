/** All queues and their lines. A queue is there while it has jobs or settings, and gives its name back. */

import { priorities } from '../../../protocol/index.ts';
import { f64Columns, type JobTable } from '../table/job-table.ts';
import { RowList } from '../table/row-list.ts';
import { RowWalk } from '../table/row-walk.ts';
import { isOver, type JobEntry } from './job-entry.ts';
import { type Line, NamedQueue, type QueueSettings } from './named-queue.ts';

/** What of a job tells where it stands. */
type StateOfJob = Pick<JobEntry, 'state' | 'priority'>;

export class QueueSet {
  readonly #table: JobTable;
  /** In the order in which they were first named. */
  readonly #byName: Map<string, NamedQueue> = new Map();
  readonly #byNumber: (NamedQueue | undefined)[] = [];
  readonly #freeNumbers: number[] = [];
  readonly #lines: (Line | undefined)[] = [undefined];
  readonly #freeLines: number[] = [];
  readonly #walks: Set<RowWalk> = new Set();
  /** Names of queues whose first job became ready, or that are no longer paused, since somebody emptied this. */
  readonly readied: Set<string> = new Set();
  #linesMade = 0;
  #withJobs = 0;
  #settingsBytes = 0;

  constructor(table: JobTable) {
    this.#table = table;
  }

  /** Queues that hold jobs, those that are over included. */
  get withJobs(): number {
    return this.#withJobs;
  }

  /** Queues that have settings alone. */
  get withoutJobs(): number {
    return this.#byName.size - this.#withJobs;
  }

  /** No fewer bytes than the records take that say the settings of all queues again. */
  get settingsBytes(): number {
    return this.#settingsBytes;
  }

  /** How many lines were ever made: those that come later have a higher `madeAs`. */
  get linesMade(): number {
    return this.#linesMade;
  }

  /** In the order in which they were named; queues may come and go between two of them. */
  all(): Iterable<NamedQueue> {
    return this.#byName.values();
  }

  find(name: string): NamedQueue | undefined {
    return this.#byName.get(name);
  }

  /** The queue of that name, which a new job joins; made when there is none. */
  join(name: string): NamedQueue {
    const queue = this.#named(name);
    if (queue.known === 0) this.#withJobs++;
    queue.known++;
    return queue;
  }

  /** A job of the queue is no longer known; it stands in no line any more. */
  part(queue: NamedQueue): void {
    queue.known--;
    if (queue.known > 0) return;
    this.#withJobs--;
    this.#removeUnused(queue);
  }

  setPaused(name: string, paused: boolean): void {
    this.#set(name, (queue) => {
      queue.paused = paused;
      if (!paused) this.readied.add(name);
    });
  }

  configure(name: string, settings: QueueSettings): void {
    this.#set(name, (queue) => {
      queue.settings = settings;
    });
  }

  byNumber(number: number): NamedQueue {
    const queue = this.#byNumber[number];
    if (queue === undefined) throw new Error(`there is no queue ${number}`);
    return queue;
  }

  line(number: number): Line {
    const line = this.#lines[number];
    if (line === undefined) throw new Error(`there is no line ${number}`);
    return line;
  }

  /** Where a job that enters that state is to stand, parked on the key or dead by that cause; null for a leased one. */
  lineFor(queue: NamedQueue, { state, priority }: StateOfJob, key: string): Line | null {
    if (state === 'ready') {
      if (queue.counts.ready === 1) this.readied.add(queue.name);
      return queue.ready[priorities[priority] - 1]?.line ?? null;
    }
    if (state === 'delayed') return queue.delayed;
    if (state === 'parked') return this.#keyedLine(queue.parked, key);
    if (state === 'dead') return this.#keyedLine(queue.dead, key);
    return isOver(state) ? queue.over : null;
  }

  /** Takes a job out of its line; an empty line that is kept by its key goes. */
  leave(slot: number, lineNumber: number): void {
    const line = this.line(lineNumber);
    for (const walk of this.#walks) walk.leaves(slot);
    line.rows.remove(slot);
    if (line.home === null || line.rows.length > 0) return;
    line.home.delete(line.key);
    this.#free(line);
  }

  /** A walk over the jobs that stand in the line now; to be ended. */
  walk({ rows }: Line): RowWalk {
    const walk = new RowWalk(rows);
    this.#walks.add(walk);
    return walk;
  }

  endWalk(walk: RowWalk): void {
    this.#walks.delete(walk);
  }

  /** The ready job of the queue whose turn it is; 0 when none is ready. */
  nextReady(queue: NamedQueue): number {
    let best = 0;
    let bestMs = Number.POSITIVE_INFINITY;
    for (const { line, offsetMs } of queue.ready) {
      const { head } = line.rows;
      if (head === 0) continue;
      const atMs = this.#table.getF64(head, f64Columns.changedAtMs) + offsetMs;
      if (atMs < bestMs) {
        best = head;
        bestMs = atMs;
      }
    }
    return best;
  }

  /** The line of that key, made when it is new. */
  #keyedLine(home: Map<string, Line>, key: string): Line {
    let line = home.get(key);
    if (line === undefined) {
      line = this.#newLine(key, home);
      home.set(key, line);
    }
    return line;
  }

  #named(name: string): NamedQueue {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const number = this.#freeNumbers.pop() ?? this.#byNumber.length;
    const queue = new NamedQueue(number, name, () => this.#newLine('', null));
    this.#byName.set(name, queue);
    this.#byNumber[number] = queue;
    return queue;
  }

  #set(name: string, change: (queue: NamedQueue) => void): void {
    const queue = this.#named(name);
    this.#settingsBytes -= queue.settingsBytes;
    change(queue);
    this.#settingsBytes += queue.settingsBytes;
    this.#removeUnused(queue);
  }

  /** No row names it, so its number and those of its lines may be given again. */
  #removeUnused(queue: NamedQueue): void {
    if (!queue.isUnused) return;
    for (const line of queue.ownLines) this.#free(line);
    this.#byName.delete(queue.name);
    this.#byNumber[queue.number] = undefined;
    this.#freeNumbers.push(queue.number);
  }

  #newLine(key: string, home: Map<string, Line> | null): Line {
    const number = this.#freeLines.pop() ?? this.#lines.length;
    const rows = new RowList(this.#table, 'line');
    const line: Line = { number, madeAs: this.#linesMade++, rows, key, home };
    this.#lines[number] = line;
    return line;
  }

  #free({ number }: Line): void {
    this.#lines[number] = undefined;
    this.#freeLines.push(number);
  }
}
