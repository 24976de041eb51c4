/** One row of the job table, by name: what the core knows of a job without reading the log. */

import {
  idToText,
  type JobState,
  jobStates,
  type LeaseEnd,
  type LeaseToken,
  leaseEnds,
  type Priority,
  priorities,
} from '../../../protocol/index.ts';
import {
  bytesColumns,
  f64At,
  f64Columns,
  type JobTable,
  type Page,
  u8At,
  u8Columns,
  u16At,
  u16Columns,
  u32At,
  u32Columns,
} from '../table/job-table.ts';

const stateNames = namesOf(jobStates);
const endNames = namesOf(leaseEnds);
const priorityNames = namesOf(priorities);

const isolatedFlag = 1;
const bodyInLogFlag = 2;

/**
 * A view: it holds no state of its own, and two views of one row are equal in all but identity
 * (compare `slot`). It must not be kept longer than the job is known.
 */
export class JobEntry {
  /** Order of acceptance, from 1; never given twice. */
  declare seq: number;
  /** Offset of the log record that holds the job's bytes. */
  declare base: number;
  /** Offset of the record of the end of its newest lease; 0 before the first. */
  declare last: number;
  /** When it entered its state, wall clock. */
  declare changedAtMs: number;
  /** Epoch of the newest hand-out. */
  declare leaseEpoch: number;
  /** Hand-outs; the number of the newest fences all older ones. */
  declare deliveries: number;
  /** Mark of the session that got the newest hand-out; 0 when that is not known. */
  declare holder: number;
  /** Number of the list in which it is; 0 for none. */
  declare list: number;
  /** Number of its queue. */
  declare queue: number;
  /** Bytes of the input, inline or in a blob. */
  declare bodyBytes: number;
  /** Bytes of the encoded job. */
  declare jobBytes: number;
  /** Bytes of the log that the ends of its leases need: see `JobExtras.countEnd`. */
  declare lastBytes: number;
  /** Failures charged to the job. */
  declare attempts: number;
  declare attemptsMax: number;
  /** Times that a holder vanished. */
  declare crashes: number;
  /** Times that it came back uncharged: throttled, handed back, lost. */
  declare returns: number;

  readonly slot: number;
  readonly #page: Page;
  readonly #f64: number;
  readonly #u32: number;
  readonly #u16: number;
  readonly #u8: number;

  constructor(table: JobTable, slot: number) {
    this.slot = slot;
    this.#page = table.page(slot);
    this.#f64 = f64At(slot);
    this.#u32 = u32At(slot);
    this.#u16 = u16At(slot);
    this.#u8 = u8At(slot);
  }

  /** The accessors of the declared numbers, from the column table. */
  static {
    for (const [name, column] of Object.entries(f64Columns)) {
      Object.defineProperty(JobEntry.prototype, name, {
        get(this: JobEntry) {
          return this.#page.f64[this.#f64 + column];
        },
        set(this: JobEntry, value: number) {
          this.#page.f64[this.#f64 + column] = value;
        },
      });
    }
    for (const [name, column] of Object.entries(u32Columns)) {
      Object.defineProperty(JobEntry.prototype, name, {
        get(this: JobEntry) {
          return this.#page.u32[this.#u32 + column];
        },
        set(this: JobEntry, value: number) {
          this.#page.u32[this.#u32 + column] = value;
        },
      });
    }
    for (const [name, column] of Object.entries(u16Columns)) {
      Object.defineProperty(JobEntry.prototype, name, {
        get(this: JobEntry) {
          return this.#page.u16[this.#u16 + column];
        },
        set(this: JobEntry, value: number) {
          this.#page.u16[this.#u16 + column] = value;
        },
      });
    }
  }

  get id(): string {
    return idToText(this.#page.u8, this.#u8 + bytesColumns.id * 4);
  }

  /** Mark of the session that got the newest hand-out; null when that is not known. */
  setHolder(session: string | null): void {
    this.holder = session === null ? 0 : holderMark(session);
  }

  get state(): JobState {
    return stateNames[this.#page.u8[this.#u8 + u8Columns.state] ?? 0] ?? 'none';
  }
  set state(value: JobState) {
    this.#page.u8[this.#u8 + u8Columns.state] = jobStates[value];
  }

  get priority(): Priority {
    return priorityNames[this.#page.u8[this.#u8 + u8Columns.priority] ?? 0] ?? 'normal';
  }
  set priority(value: Priority) {
    this.#page.u8[this.#u8 + u8Columns.priority] = priorities[value];
  }

  /** How the newest lease ended; null while it is held or before the first. */
  get lastEnd(): LeaseEnd | null {
    return endNames[this.#page.u8[this.#u8 + u8Columns.lastEnd] ?? 0] ?? null;
  }
  set lastEnd(value: LeaseEnd | null) {
    this.#page.u8[this.#u8 + u8Columns.lastEnd] = value === null ? 0 : leaseEnds[value];
  }

  /** The newest hand-out was to run alone. */
  get isolated(): boolean {
    return this.#flag(isolatedFlag);
  }
  set isolated(value: boolean) {
    this.#setFlag(isolatedFlag, value);
  }

  /** The record at `base` holds the input: it is no blob, and was not left out by compaction. */
  get bodyInLog(): boolean {
    return this.#flag(bodyInLogFlag);
  }
  set bodyInLog(value: boolean) {
    this.#setFlag(bodyInLogFlag, value);
  }

  /** Keeps the first half of a content digest: enough to notice the same id with other content. */
  setDigest(digest: Uint8Array): void {
    const start = this.#u8 + bytesColumns.digest * 4;
    const { u8 } = this.#page;
    for (let index = 0; index < digestBytesKept; index++) u8[start + index] = digest[index] ?? 0;
  }

  hasDigest(digest: Uint8Array): boolean {
    const start = this.#u8 + bytesColumns.digest * 4;
    for (let index = 0; index < digestBytesKept; index++) {
      if (this.#page.u8[start + index] !== digest[index]) return false;
    }
    return true;
  }

  /** The digest's kept half. */
  get digest(): Uint8Array {
    const start = this.#u8 + bytesColumns.digest * 4;
    return this.#page.u8.slice(start, start + digestBytesKept);
  }

  /**
   * Bytes of the log that this job still needs, no fewer than compaction would write for it: its
   * input is dead weight once it is over.
   */
  get logBytes(): number {
    const dead = this.bodyInLog && isTerminal(this.state) ? this.bodyBytes : 0;
    return snapshotBytes + this.jobBytes - dead + this.lastBytes;
  }

  #flag(flag: number): boolean {
    return ((this.#page.u8[this.#u8 + u8Columns.flags] ?? 0) & flag) !== 0;
  }

  #setFlag(flag: number, value: boolean): void {
    const at = this.#u8 + u8Columns.flags;
    const others = (this.#page.u8[at] ?? 0) & ~flag;
    this.#page.u8[at] = others | (value ? flag : 0);
  }
}

/** What a `snapshot` record has beside the job and the texts, with its frame. */
export const snapshotBytes = 256;

/** Half of the 16 bytes that a producer sends. */
const digestBytesKept = 8;

function namesOf<T extends string>(table: Readonly<Record<T, number>>): (T | undefined)[] {
  const names: (T | undefined)[] = [];
  for (const [name, number] of Object.entries<number>(table)) names[number] = name as T;
  return names;
}

/**
 * A 32-bit mark of a session (FNV-1a), never 0: it recognises the holder of a job's newest lease after
 * that ended, without keeping the secret id. Enough to distinguish a repeated settle from a stranger's.
 */
function holderMark(session: string): number {
  let mark = 0x811c9dc5;
  for (let index = 0; index < session.length; index++) {
    mark = Math.imul(mark ^ session.charCodeAt(index), 0x01000193);
  }
  return mark >>> 0 || 1;
}

/** True when the job will never run again by itself. */
export function isFinished(state: JobState): boolean {
  return state === 'done' || state === 'dead' || state === 'cancelled';
}

/** True when it can never run again: unlike a dead job, it needs its input no more. */
export function isTerminal(state: JobState): boolean {
  return state === 'done' || state === 'cancelled';
}

/** The token of the newest hand-out. */
export function tokenOf(job: JobEntry): LeaseToken {
  return { id: job.id, epoch: job.leaseEpoch, delivery: job.deliveries };
}

/** True when this is the newest hand-out of the job, and the session got it. */
export function wasHeldBy(job: JobEntry, token: LeaseToken, session: string): boolean {
  return isNewest(job, token) && job.holder === holderMark(session);
}

/** True when no later hand-out of the job exists. */
export function isNewest(job: JobEntry, token: LeaseToken): boolean {
  return job.leaseEpoch === token.epoch && job.deliveries === token.delivery;
}
