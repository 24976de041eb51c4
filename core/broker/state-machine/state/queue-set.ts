/** All queues and their lists. A queue exists while it has jobs or settings; then its name is free again. */

import { priorities } from '../../../protocol/index.ts';
import { f64Columns, type JobTable } from '../table/job-table.ts';
import { RowList } from '../table/row-list.ts';
import { RowWalk } from '../table/row-walk.ts';
import { isTerminal, type JobEntry } from './job-entry.ts';
import { type JobList, type NamedCount, NamedQueue, type QueueSettings } from './named-queue.ts';

/** What decides in which list a job is. */
type StateOfJob = Pick<JobEntry, 'state' | 'priority'>;

export class QueueSet {
  readonly #table: JobTable;
  /** In the order in which they were first named. */
  readonly #byName: Map<string, NamedQueue> = new Map();
  readonly #byNumber: (NamedQueue | undefined)[] = [];
  readonly #freeNumbers: number[] = [];
  readonly #lists: (JobList | undefined)[] = [undefined];
  readonly #freeLists: number[] = [];
  readonly #walks: Set<RowWalk> = new Set();
  /** Names of queues whose first job became ready, or that were unpaused, since this was last emptied. */
  readonly readied: Set<string> = new Set();
  #listsCreated = 0;
  #withJobs = 0;
  #settingsBytes = 0;

  constructor(table: JobTable) {
    this.#table = table;
  }

  /** Queues that hold jobs, terminal ones included. */
  get withJobs(): number {
    return this.#withJobs;
  }

  /** Queues that have settings alone. */
  get withoutJobs(): number {
    return this.#byName.size - this.#withJobs;
  }

  /** Upper bound of the bytes that rewriting the settings of all queues adds to the log. */
  get settingsBytes(): number {
    return this.#settingsBytes;
  }

  /** How many lists were ever created: later ones have a higher `createdAs`. */
  get listsCreated(): number {
    return this.#listsCreated;
  }

  /** In the order in which they were named; queues may come and go between two of them. */
  all(): Iterable<NamedQueue> {
    return this.#byName.values();
  }

  find(name: string): NamedQueue | undefined {
    return this.#byName.get(name);
  }

  /** Counts a new job in the queue of that name, which is created when there is none. */
  join(name: string): NamedQueue {
    const queue = this.#named(name);
    if (queue.known === 0) this.#withJobs++;
    queue.known++;
    return queue;
  }

  /** Counts the queue for the session that named it first, until its name is free again. */
  countFor(named: NamedCount, name: string): void {
    const queue = this.#byName.get(name);
    if (queue === undefined || queue.namedBy !== null) return;
    queue.namedBy = named;
    named.queues++;
  }

  /** A job of the queue was forgotten; it is in no list any more. */
  leave(queue: NamedQueue): void {
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

  list(number: number): JobList {
    const list = this.#lists[number];
    if (list === undefined) throw new Error(`there is no list ${number}`);
    return list;
  }

  /** The list of a job that enters that state, parked on the key or dead by that cause; null when leased. */
  listFor(queue: NamedQueue, { state, priority }: StateOfJob, key: string): JobList | null {
    if (state === 'ready') {
      if (queue.counts.ready === 1) this.readied.add(queue.name);
      return queue.ready[priorities[priority] - 1]?.list ?? null;
    }
    if (state === 'delayed') return queue.delayed;
    if (state === 'parked') return this.#keyedList(queue.parked, key);
    if (state === 'dead') return this.#keyedList(queue.dead, key);
    return isTerminal(state) ? queue.terminal : null;
  }

  /** Removes a job from its list; an empty list with a key is removed too. */
  removeFromList(slot: number, listNumber: number): void {
    const list = this.list(listNumber);
    for (const walk of this.#walks) walk.beforeRemoval(slot);
    list.rows.remove(slot);
    if (list.home === null || list.rows.length > 0) return;
    list.home.delete(list.key);
    this.#free(list);
  }

  /** An iterator over the jobs that are in the list now; to be ended with `endWalk`. */
  walk({ rows }: JobList): RowWalk {
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
    for (const { list, offsetMs } of queue.ready) {
      const { head } = list.rows;
      if (head === 0) continue;
      const atMs = this.#table.getF64(head, f64Columns.changedAtMs) + offsetMs;
      if (atMs < bestMs) {
        best = head;
        bestMs = atMs;
      }
    }
    return best;
  }

  /** The list of that key, created when it is new. */
  #keyedList(home: Map<string, JobList>, key: string): JobList {
    let list = home.get(key);
    if (list === undefined) {
      list = this.#newList(key, home);
      home.set(key, list);
    }
    return list;
  }

  #named(name: string): NamedQueue {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const number = this.#freeNumbers.pop() ?? this.#byNumber.length;
    const queue = new NamedQueue(number, name, () => this.#newList('', null));
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

  /** No row refers to it, so its number and those of its lists may be given again. */
  #removeUnused(queue: NamedQueue): void {
    if (!queue.isUnused) return;
    for (const list of queue.ownLists) this.#free(list);
    this.#byName.delete(queue.name);
    if (queue.namedBy !== null) queue.namedBy.queues--;
    this.#byNumber[queue.number] = undefined;
    this.#freeNumbers.push(queue.number);
  }

  #newList(key: string, home: Map<string, JobList> | null): JobList {
    const number = this.#freeLists.pop() ?? this.#lists.length;
    const rows = new RowList(this.#table, 'list');
    const list: JobList = { number, createdAs: this.#listsCreated++, rows, key, home };
    this.#lists[number] = list;
    return list;
  }

  #free({ number }: JobList): void {
    this.#lists[number] = undefined;
    this.#freeLists.push(number);
  }
}
