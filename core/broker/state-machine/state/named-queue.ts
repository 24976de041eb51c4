/** A named queue: the lines in which its jobs stand, how many there are in each state, its settings. */

import { type JobState, type Priority, priorities } from '../../../protocol/index.ts';
import type { RowList } from '../table/row-list.ts';

/** A list of jobs of one queue that wait for the same thing, or are kept. */
export interface Line {
  /** Number by which rows name it; never 0. */
  readonly number: number;
  /** How many lines had been made before it, of any queue. */
  readonly madeAs: number;
  readonly rows: RowList;
  /** What its jobs are parked on, or why they are dead; empty for all other lines. */
  readonly key: string;
  /** Where it is kept by its key while it is not empty; null for a line that stays. */
  readonly home: Map<string, Line> | null;
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
  /** Rows name it by that; another queue may have it once this one is gone. */
  readonly number: number;
  readonly name: string;
  /** Ready jobs by priority, highest first. */
  readonly ready: readonly { readonly line: Line; readonly offsetMs: number }[];
  readonly delayed: Line;
  /** Parked jobs by key. */
  readonly parked: Map<string, Line> = new Map();
  /** Dead jobs by cause. */
  readonly dead: Map<string, Line> = new Map();
  /** Done and cancelled jobs, the first finished first, until they are forgotten. */
  readonly over: Line;
  readonly counts: Record<JobState, number> = { ...noJobs };
  /** Jobs known, in any state. */
  known = 0;
  /** Encoded bytes of its jobs that are neither done nor cancelled. */
  bytes = 0;
  /** Nothing of it is delivered. */
  paused = false;
  settings: QueueSettings = noSettings;

  constructor(number: number, name: string, newLine: () => Line) {
    this.number = number;
    this.name = name;
    this.over = newLine();
    this.delayed = newLine();
    this.ready = (Object.keys(priorities) as Priority[]).map((priority) => ({
      line: newLine(),
      offsetMs: ageingOffsetMs[priority],
    }));
  }

  /** The lines that it has as long as it is there. */
  get ownLines(): readonly Line[] {
    return [this.over, this.delayed, ...this.ready.map(({ line }) => line)];
  }

  /** Whether it has limits or retention of its own. */
  get isConfigured(): boolean {
    return Object.values(this.settings).some((value) => value !== 0);
  }

  /** Whether nothing would be lost without it: it is as one that was never named. */
  get isUnused(): boolean {
    return this.known === 0 && !this.paused && !this.isConfigured;
  }

  /** No fewer bytes than the records take that say its settings again. */
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
