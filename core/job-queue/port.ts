/**
 * The `JobQueue` port: all that runtime and command line know of an engine. There is one engine, the
 * built-in broker (`aiq/`). Nothing here says how bytes travel.
 */

import type { BlobContent, BrokerStats } from '../client/index.ts';
import type {
  BlobRef,
  ErrorCode,
  Job,
  JobInfo,
  JobState,
  LeaseEndInfo,
  QueueInfo,
} from '../protocol/index.ts';
import type { BudgetedQueue } from './port-budgets.ts';
import type { ConsumeOptions, Consumer, Settled, SettleOutput } from './port-consumer.ts';

/** What became of one enqueued job. `refused` carries the reason. */
export type Enqueued =
  | { readonly id: string; readonly outcome: 'created' | 'exists'; readonly state: JobState }
  | {
      readonly id: string;
      readonly outcome: 'refused';
      readonly code: ErrorCode;
      readonly message: string;
    };

export interface JobFilter {
  readonly queue?: string;
  readonly state?: JobState;
  /** Cursor of the page before: its `next`. */
  readonly before?: number;
  readonly limit?: number;
}

/** Every condition that is given must hold. */
export interface SearchFilter {
  readonly queue?: string | undefined;
  /** In one of these states; in any when none is named. */
  readonly states?: readonly JobState[] | undefined;
  readonly agent?: string | undefined;
  readonly tag?: string | undefined;
  /** Words that occur in source, note or error. */
  readonly text?: string | undefined;
  readonly errorCode?: string | undefined;
  /** When the job entered its state: from here on, and before there. Milliseconds since 1970. */
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  /** Millionths of the currency. */
  readonly costMicrosMin?: number | undefined;
  /** Cursor of the page before: its `next`. */
  readonly after?: string | undefined;
  readonly limit?: number | undefined;
}

export interface SearchPage {
  /** Newest first, as many as were asked for unless the search ends before. */
  readonly jobs: JobInfo[];
  /** Cursor for the next page, or null at the end. */
  readonly next: string | null;
  /** Position of the engine's history up to which the search was complete. */
  readonly offset: number;
}

export interface WatchOptions {
  /** Queues to watch; all when none is named. */
  readonly queues?: readonly string[];
  /** Called for each change of a job's state, in order; must not throw. */
  readonly onChange: (job: JobInfo) => void;
  /** The connection was lost and regained: changes in between were not reported. */
  readonly onGap?: () => void;
  /** Ends the watch. */
  readonly signal?: AbortSignal;
}

export interface JobPage {
  /** Newest first, as many as were asked for unless the list ends before. */
  readonly jobs: JobInfo[];
  /** Cursor for the next page, or null at the end. */
  readonly next: number | null;
}

export interface InspectedJob {
  readonly info: JobInfo;
  /** The job as enqueued; null once the broker dropped its bytes (it is finished). */
  readonly job: Job | null;
  /** Ends of its leases, newest first, as many as are kept. */
  readonly history: readonly LeaseEndInfo[];
}

export interface QueueStats {
  readonly queues: QueueInfo[];
}

/** What an engine says of itself, in its own terms: for operators only. */
export type EngineStats = BrokerStats;

/** Limits and retention of one queue; 0 means that the broker's hold. */
export interface QueueSettings {
  /** Most unfinished jobs, and bytes of them. */
  readonly jobsMax: number;
  readonly bytesMax: number;
  /** How long, and how many, finished jobs are kept. */
  readonly keepMs: number;
  readonly keepJobs: number;
}

/** Of an operation on many jobs, which the broker does step by step and finishes in any case. */
export interface BulkOptions {
  /** Gets how many jobs were changed so far, at each poll; must not throw. */
  readonly onProgress?: (touched: number) => void;
  /** Ends the waiting, not the operation. */
  readonly signal?: AbortSignal;
}

/** Which dead jobs; all when nothing is given. */
export interface DeadFilter {
  readonly queue?: string | undefined;
  readonly errorCode?: string | undefined;
}

/** The files of a done job, as the engine has them. */
export interface KeptOutput extends Omit<SettleOutput, 'files'> {
  readonly files: readonly {
    /** As it was wanted: the job's note has the names that files got. */
    readonly path: string;
    readonly bytes: number;
    /** Hexadecimal. */
    readonly sha256: string;
    content(): Promise<Uint8Array>;
  }[];
}

export interface UnwrittenPage {
  /** `isHeld`: the consumer that settled the job is connected, and may be about to write. */
  readonly jobs: readonly { readonly id: string; readonly isHeld: boolean }[];
  /** Cursor for the next page, or null at the end. */
  readonly next: number | null;
}

/** What became of the files of a job after its settle. */
export interface WrittenOutput {
  readonly id: string;
  /** False: not yet; the note says why. */
  readonly written: boolean;
  /** Replaces the job's note; empty leaves it. */
  readonly note: string;
}

/**
 * An engine. Every method rejects with an `AiqError`: `UNREACHABLE` when no broker answers within the
 * connect deadline, `OUTCOME_UNKNOWN` when an answer was lost.
 */
export interface JobQueue extends BudgetedQueue {
  /** For messages: `file:./.aiq`, `tcp://127.0.0.1:4222`. */
  readonly address: string;
  /**
   * Who can be at the other end: only this `user`, others on this `machine`, or others beyond it, in
   * the `network`.
   */
  readonly sharedBy: 'user' | 'machine' | 'network';
  /**
   * Durable when it resolves. With `atomic`, all or none. Bodies above 64 KiB are stored as blobs
   * first; above 64 MiB the job is refused.
   */
  enqueue(jobs: readonly Job[], options?: { readonly atomic?: boolean }): Promise<Enqueued[]>;
  consume(options: ConsumeOptions): Promise<Consumer>;
  /** Jobs whose id begins with the text; at most 10. `withJob` gives them as enqueued: see `wholeJob`. */
  inspect(idPrefix: string, options?: { readonly withJob?: boolean }): Promise<InspectedJob[]>;
  /** The job with its body, fetched when that is a blob. */
  wholeJob(job: Job): Promise<Job>;
  list(filter: JobFilter): Promise<JobPage>;
  /** Searches the history, which follows the log at a small distance. */
  search(filter: SearchFilter): Promise<SearchPage>;
  /**
   * What the consumer kept with the job, or with the one that does its work; null when there is nothing.
   * @throws AiqError `NOT_FOUND`, `BAD_STATE` when the job is not done
   */
  result(id: string): Promise<Uint8Array | null>;
  /** The files of a done job; null when it has none. */
  output(id: string): Promise<KeptOutput | null>;
  /** What its last attempt sent to the model, packed as it was settled; null when it is not kept. */
  prompts(id: string): Promise<Uint8Array | null>;
  /** Jobs whose files are not known to be in the folder, oldest settle first. */
  unwritten(dir: string, after?: number): Promise<UnwrittenPage>;
  /** Folders in which something is still to be written. */
  unwrittenFolders(): Promise<readonly { readonly dir: string; readonly unwritten: number }[]>;
  /** Says what became of files; what is known as written is passed over. */
  written(jobs: readonly WrittenOutput[]): Promise<void>;
  /** Of the named queues, or of all when none is named. */
  stats(queues?: readonly string[]): Promise<QueueStats>;
  /** With all queues. */
  engineStats(): Promise<EngineStats & QueueStats>;
  /** What the engine cannot do at the moment and tries again by itself, a sentence each. */
  problems(): Promise<readonly string[]>;
  /**
   * Resolves when the job, or the one that does its work, is dead, cancelled, or done and its files are in their
   * folder or cannot be written yet; rejects with the signal's reason when aborted.
   */
  wait(id: string, signal?: AbortSignal): Promise<JobInfo>;
  cancel(ids: readonly string[]): Promise<Settled[]>;
  /** Makes dead jobs ready again with their attempts at zero. */
  retry(ids: readonly string[]): Promise<Settled[]>;
  /** Stops the deliveries of a queue, durably; what runs goes on, and so do enqueues. */
  pause(queue: string): Promise<void>;
  /** Restarts the deliveries of a queue. Pausing and resuming may be repeated. */
  resume(queue: string): Promise<void>;
  /** Cancels the jobs of a queue that wait (ready, delayed or parked); resolves with their number. */
  purge(queue: string, options?: BulkOptions): Promise<number>;
  /** Makes dead jobs ready again with their attempts at zero; resolves with their number. */
  retryDead(filter: DeadFilter, options?: BulkOptions): Promise<number>;
  /** Makes every job ready that is parked on the key; resolves with their number. */
  signal(key: string, options?: BulkOptions): Promise<number>;
  configureQueue(queue: string, settings: QueueSettings): Promise<void>;
  /**
   * Stores 1 byte to 64 MiB under their hash, durably; what is stored already is not sent again. What
   * nothing refers to goes after an hour.
   */
  putBlob(content: BlobContent): Promise<BlobRef>;
  /**
   * Bytes of a blob, checked against its hash.
   * @throws AiqError `NO_BLOB`, `BAD_BLOB`
   */
  getBlob(ref: BlobRef, signal?: AbortSignal): Promise<Uint8Array>;
  /** The value in a job's journal, or null; `Consumer.journalPut` writes it. */
  journalGet(id: string, callHash: Uint8Array): Promise<Uint8Array | null>;
  /**
   * Resolves once the watch is registered: from then on every change is reported, over lost connections and
   * broker restarts, until the signal aborts or the queue is closed.
   */
  watch(options: WatchOptions): Promise<void>;
  /** Asks the broker to stop; only where the engine is ours to stop. */
  shutdown(): Promise<void>;
  close(): Promise<void>;
}
