/** A named queue: the lists of its jobs, their counts by state, its settings. */

import { type JobState, type Priority, priorities } from '../../../protocol/index.ts';
import type { RowList } from '../table/row-list.ts';

/** A list of jobs of one queue that wait for the same thing, or are kept. */
export interface JobList {
  /** Number by which rows refer to it; never 0. */
  readonly number: number;
  /** How many lists were created before it, of any queue. */
  readonly createdAs: number;
  readonly rows: RowList;
  /** What its jobs are parked on, or why they are dead; empty for all other lists. */
  readonly key: string;
  /** The lists by key to which it belongs while it is not empty; null for a permanent list. */
  readonly home: Map<string, JobList> | null;
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
 * Priority ageing: among ready jobs the smallest `readyAt + offset` goes first, so that a job is overtaken
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

/** The queues that one session named first, while their names are taken. */
export interface NamedCount {
  queues: number;
}

export class NamedQueue {
  /** Rows refer to it by that; another queue may get it once this one is removed. */
  readonly number: number;
  readonly name: string;
  /** Ready jobs by priority, highest first. */
  readonly ready: readonly { readonly list: JobList; readonly offsetMs: number }[];
  readonly delayed: JobList;
  /** Parked jobs by key. */
  readonly parked: Map<string, JobList> = new Map();
  /** Dead jobs by cause. */
  readonly dead: Map<string, JobList> = new Map();
  /** Done and cancelled jobs, oldest first, until they are forgotten. */
  readonly terminal: JobList;
  readonly counts: Record<JobState, number> = { ...noJobs };
  /** Jobs known, in any state. */
  known = 0;
  /** Encoded bytes of its jobs that are neither done nor cancelled. */
  bytes = 0;
  /** Nothing of it is delivered. */
  paused = false;
  settings: QueueSettings = noSettings;
  /** Where it counts; null when it was named before the broker started. */
  namedBy: NamedCount | null = null;

  constructor(number: number, name: string, newList: () => JobList) {
    this.number = number;
    this.name = name;
    this.terminal = newList();
    this.delayed = newList();
    this.ready = (Object.keys(priorities) as Priority[]).map((priority) => ({
      list: newList(),
      offsetMs: ageingOffsetMs[priority],
    }));
  }

  /** Its permanent lists. */
  get ownLists(): readonly JobList[] {
    return [this.terminal, this.delayed, ...this.ready.map(({ list }) => list)];
  }

  /** Whether it has limits or retention of its own. */
  get isConfigured(): boolean {
    return Object.values(this.settings).some((value) => value !== 0);
  }

  /** Whether it can be removed: it has no jobs, no settings, and is not paused. */
  get isUnused(): boolean {
    return this.known === 0 && !this.paused && !this.isConfigured;
  }

  /** Upper bound of the bytes that rewriting its settings adds to the log. */
  get settingsBytes(): number {
    const { length } = this.name;
    const pause = this.paused ? pausedBytes + length : 0;
    return pause + (this.isConfigured ? configuredBytes + length : 0);
  }

  /** Jobs that are neither done nor cancelled. */
  get jobs(): number {
    const { delayed, ready, leased, parked, dead } = this.counts;
    return delayed + ready + leased + parked + dead;
  }
}
