/** A named queue: the lines in which its jobs stand, how many there are in each state, its settings. */

import { type JobState, type Priority, priorities } from '../../protocol/index.ts';
import { f64Columns, type JobTable } from './job-table.ts';
import { LinkedRows } from './linked-rows.ts';

/** A list of jobs of one queue that wait for the same thing, or are kept. */
export interface Line {
  /** Number by which rows name it; never 0. */
  readonly number: number;
  readonly rows: LinkedRows;
  readonly queue: NamedQueue;
  /** What its jobs are parked on; empty for all other lines. */
  readonly parkKey: string;
}

/** Limits and retention of one queue; 0 where the broker's own hold. */
export interface QueueSettings {
  readonly jobsMax: number;
  readonly bytesMax: number;
  readonly keepMs: number;
  readonly keepJobs: number;
}

export const noSettings: QueueSettings = { jobsMax: 0, bytesMax: 0, keepMs: 0, keepJobs: 0 };

/** The counts of a queue that holds nothing. */
export const noJobs: Readonly<Record<JobState, number>> = {
  none: 0,
  delayed: 0,
  ready: 0,
  leased: 0,
  done: 0,
  dead: 0,
  cancelled: 0,
  parked: 0,
};

/**
 * Ageing: among ready jobs the smallest `readyAt + offset` goes first, so that a job is overtaken
 * only by jobs that become ready less than the difference of their offsets after it.
 */
export const ageingOffsetMs: Readonly<Record<Priority, number>> = {
  highest: 0,
  high: 60_000,
  normal: 5 * 60_000,
  low: 30 * 60_000,
  lowest: 2 * 3_600_000,
};

/** Bytes of a `paused` and of a `queueConfigured` record with their frames, the name aside. */
const pausedBytes = 24;
const configuredBytes = 48;

export class NamedQueue {
  readonly number: number;
  readonly name: string;
  /** Ready jobs by priority, highest first. */
  readonly ready: readonly { readonly line: Line; readonly offsetMs: number }[];
  /** Parked jobs by key. */
  readonly parked: Map<string, Line> = new Map();
  /** Done and cancelled jobs, the first finished first, until they are forgotten. */
  readonly over: Line;
  readonly counts: Record<JobState, number> = { ...noJobs };
  /** Encoded bytes of its jobs that are neither done nor cancelled. */
  bytes = 0;
  /** Nothing of it is delivered. */
  paused = false;
  settings: QueueSettings = noSettings;

  constructor(number: number, name: string, newLine: (queue: NamedQueue) => Line) {
    this.number = number;
    this.name = name;
    this.over = newLine(this);
    this.ready = (Object.keys(priorities) as Priority[]).map((priority) => ({
      line: newLine(this),
      offsetMs: ageingOffsetMs[priority],
    }));
  }

  /** Whether it has limits or retention of its own. */
  get isConfigured(): boolean {
    return Object.values(this.settings).some((value) => value !== 0);
  }

  /** No fewer bytes than the records take that say its settings again. */
  get settingsBytes(): number {
    const { length } = this.name;
    return (
      (this.paused ? pausedBytes + length : 0) + (this.isConfigured ? configuredBytes + length : 0)
    );
  }

  /** Jobs that are neither done nor cancelled. */
  get jobs(): number {
    const { delayed, ready, leased, parked, dead } = this.counts;
    return delayed + ready + leased + parked + dead;
  }
}

/** All queues and their lines. */
export class QueueSet {
  readonly #table: JobTable;
  readonly #byName: Map<string, NamedQueue> = new Map();
  readonly #byNumber: NamedQueue[] = [];
  readonly #lines: (Line | undefined)[] = [undefined];
  readonly #freeLines: number[] = [];
  #settingsBytes = 0;

  constructor(table: JobTable) {
    this.#table = table;
  }

  get size(): number {
    return this.#byNumber.length;
  }

  /** No fewer bytes than the records take that say the settings of all queues again. */
  get settingsBytes(): number {
    return this.#settingsBytes;
  }

  /** In the order in which they were first named. */
  all(): readonly NamedQueue[] {
    return this.#byNumber;
  }

  find(name: string): NamedQueue | undefined {
    return this.#byName.get(name);
  }

  /** The queue of that name, made when it is new. */
  named(name: string): NamedQueue {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const queue = new NamedQueue(this.#byNumber.length, name, (owner) => this.#newLine(owner, ''));
    this.#byName.set(name, queue);
    this.#byNumber.push(queue);
    return queue;
  }

  setPaused(name: string, paused: boolean): void {
    const queue = this.named(name);
    this.#settingsBytes -= queue.settingsBytes;
    queue.paused = paused;
    this.#settingsBytes += queue.settingsBytes;
  }

  configure(name: string, settings: QueueSettings): void {
    const queue = this.named(name);
    this.#settingsBytes -= queue.settingsBytes;
    queue.settings = settings;
    this.#settingsBytes += queue.settingsBytes;
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

  /** The line of a queue's ready jobs of one priority. */
  readyLine(queue: NamedQueue, priority: Priority): Line {
    const line = queue.ready[priorities[priority] - 1]?.line;
    if (line === undefined) throw new Error(`queue ${queue.name} has no line for ${priority}`);
    return line;
  }

  /** The line of a queue's jobs that are parked on `key`, made when it is new. */
  parkedLine(queue: NamedQueue, key: string): Line {
    let line = queue.parked.get(key);
    if (line === undefined) {
      line = this.#newLine(queue, key);
      queue.parked.set(key, line);
    }
    return line;
  }

  /** Takes a job out of its line; an empty line of parked jobs goes. */
  leave(slot: number, lineNumber: number): void {
    const line = this.line(lineNumber);
    line.rows.remove(slot);
    if (line.parkKey === '' || line.rows.length > 0) return;
    line.queue.parked.delete(line.parkKey);
    this.#lines[lineNumber] = undefined;
    this.#freeLines.push(lineNumber);
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

  #newLine(queue: NamedQueue, parkKey: string): Line {
    const number = this.#freeLines.pop() ?? this.#lines.length;
    const line: Line = { number, rows: new LinkedRows(this.#table, 'line'), queue, parkKey };
    this.#lines[number] = line;
    return line;
  }
}
