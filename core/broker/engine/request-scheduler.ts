/**
 * Schedules requests: one queue per connection, since a connection's requests take effect in order.
 * Queues are served round robin, and one whose peer does not read its responses waits. So a client
 * that asks little waits for a slice at most, however many others there are and whatever they ask.
 */

import type { RequestName } from '../../protocol/index.ts';
import type { CheckedJob, ConnectionId, EnqueuePart, NetEvent } from '../events.ts';
import { jobsPerStepMax } from '../state-machine/context/core.ts';
import type { SendQuota } from '../state-machine/context/send-quota.ts';
import { newBytes, valueBytes } from './engine-options.ts';
import { RoundRobin } from './round-robin.ts';

/** Time of one turn of the state machine; the rest of its last request comes on top. */
export const sliceMs = 4;
/** Time for one queue in a round. */
const visitMs = 1;
/** Requests of one queue in a round. */
const visitMax = 64;
/** A queue of at most so many requests counts as small. */
const smallMax = 8;
/** Requests in a turn: a bound that holds when the clock does not advance. */
const turnMax = 2_000;
/** Large responses that are being made at a time: one is read from disk while another is encoded. */
const answeringMax = 2;

/** Requests with large responses: one at a time for each connection. */
const largeAnswers: ReadonlySet<RequestName> = new Set<RequestName>([
  'Inspect',
  'List',
  'Result',
  'Stats',
  'BlobGet',
  'JournalGet',
]);

/** From this size on a request waits while the log is behind, so that small ones need not wait for it. */
const heavyBytes = 64 * 1024;
/** With so many unwritten bytes the log is behind, by some hundredths of a second. */
const behindBytes = 1024 * 1024;

/** What scheduling depends on besides the requests. */
export interface RequestSchedulerOptions {
  readonly unsent: SendQuota;
  /** Monotonic time in milliseconds. */
  readonly nowMs: () => number;
  /** Bytes appended to the log and not on disk yet. */
  readonly unwrittenBytes: () => number;
}

interface ConnectionQueue {
  readonly connection: ConnectionId;
  events: NetEvent[];
  /** Index of the next one. */
  at: number;
  /** A large response is being made. */
  isAnswering: boolean;
  /** The peer disconnected: reads are skipped, the other requests take effect. */
  isClosed: boolean;
}

export class RequestScheduler {
  readonly #queues: Map<ConnectionId, ConnectionQueue> = new Map();
  /** Queues that may have a request to handle. */
  readonly #ready: RoundRobin<ConnectionQueue> = new RoundRobin();
  /** Queues that must wait: for a response being made, for their peer to read, or for the disk. */
  readonly #waiting: Set<ConnectionQueue> = new Set();
  /** Queues with a large request in this turn. */
  readonly #requestedLarge: Set<ConnectionQueue> = new Set();
  readonly #options: RequestSchedulerOptions;
  #answering = 0;

  constructor(options: RequestSchedulerOptions) {
    this.#options = options;
  }

  add(event: NetEvent): void {
    const { connection } = event;
    let queue = this.#queues.get(connection);
    if (queue === undefined) {
      queue = { connection, events: [], at: 0, isAnswering: false, isClosed: false };
      this.#queues.set(connection, queue);
    }
    if (event.type === 'closed') queue.isClosed = true;
    queue.events.push(...partsOf(event));
    if (!this.#waiting.has(queue) || queue.isClosed) this.#toReady(queue);
  }

  /** True when a request could be handled at once. */
  get hasMore(): boolean {
    for (const queue of this.#waiting) if (this.#mayServe(queue)) this.#toReady(queue);
    return this.#ready.size > 0;
  }

  /** The events of one turn. Each must be handled before the next is taken. */
  *take(): Generator<NetEvent> {
    const untilMs = this.#options.nowMs() + sliceMs;
    let left = turnMax;
    while (left > 0 && this.hasMore && this.#options.nowMs() <= untilMs) {
      const queue = this.#ready.take();
      if (queue === undefined) return;
      for (const event of this.#visit(queue)) {
        left -= 1;
        yield event;
      }
      this.#putBack(queue);
    }
  }

  /** Records are being read for a response to the connection. */
  reading(connection: ConnectionId): void {
    const queue = this.#queues.get(connection);
    if (queue !== undefined) this.#requestedLarge.delete(queue);
  }

  /** The response that records were read for is made. */
  answered(connection: ConnectionId): void {
    const queue = this.#queues.get(connection);
    if (queue !== undefined) this.#setAnswering(queue, false);
  }

  /** All effects of this turn were performed: responses that are not being read for are made. */
  endTurn(): void {
    for (const queue of this.#requestedLarge) this.#setAnswering(queue, false);
    this.#requestedLarge.clear();
  }

  #setAnswering(queue: ConnectionQueue, isAnswering: boolean): void {
    if (queue.isAnswering === isAnswering) return;
    queue.isAnswering = isAnswering;
    this.#answering += isAnswering ? 1 : -1;
  }

  *#visit(queue: ConnectionQueue): Generator<NetEvent> {
    let used = 0;
    while (used < 1 && this.#mayServe(queue)) {
      const event = queue.events[queue.at] as NetEvent;
      queue.at += 1;
      if (queue.isClosed && isLarge(event)) continue;
      const beganAtMs = this.#options.nowMs();
      // Its size is not known before it is made; the next request waits.
      if (isLarge(event)) {
        this.#setAnswering(queue, true);
        this.#requestedLarge.add(queue);
      }
      yield event;
      used += Math.max(1 / visitMax, (this.#options.nowMs() - beganAtMs) / visitMs);
    }
    this.#ready.use(queue, used);
  }

  #putBack(queue: ConnectionQueue): void {
    if (queue.at < queue.events.length) {
      // Amortized: a long queue is copied only when half of it is done.
      if (queue.at * 2 > queue.events.length) {
        queue.events = queue.events.slice(queue.at);
        queue.at = 0;
      }
      if (this.#mayServe(queue)) this.#toReady(queue);
      else this.#waiting.add(queue);
      return;
    }
    queue.events = [];
    queue.at = 0;
    if (!queue.isClosed) return;
    this.#setAnswering(queue, false);
    this.#queues.delete(queue.connection);
  }

  #toReady(queue: ConnectionQueue): void {
    this.#waiting.delete(queue);
    this.#ready.add(queue, queue.events.length - queue.at <= smallMax);
  }

  get #isLogBehind(): boolean {
    return this.#options.unwrittenBytes() > behindBytes;
  }

  #mayServe(queue: ConnectionQueue): boolean {
    const event = queue.events[queue.at];
    if (event === undefined) return false;
    if (queue.isClosed || event.type === 'opened') return true;
    if (queue.isAnswering) return false;
    const { unsent } = this.#options;
    if (isLarge(event))
      return this.#answering < answeringMax && unsent.takesLarge(queue.connection);
    return unsent.takesSmall(queue.connection) && !(this.#isLogBehind && isHeavy(event));
  }
}

/** Bytes after which a part of an Enqueue ends: a step of a few milliseconds, then others are served. */
const partBytes = 2 * heavyBytes;

/**
 * The parts in which an event is handled: jobs that are accepted each by itself need not all be taken in
 * one step.
 */
function partsOf(event: NetEvent): readonly NetEvent[] {
  if (event.type !== 'enqueue' || event.atomic) return [event];
  const parts: CheckedJob[][] = [[]];
  let bytes = 0;
  for (const job of event.jobs) {
    const last = parts.at(-1) ?? [];
    const isFull = last.length === jobsPerStepMax || bytes >= partBytes;
    if (isFull) parts.push([job]);
    else last.push(job);
    bytes = (isFull ? 0 : bytes) + (job.ok ? job.bytes.length : 0);
  }
  if (parts.length === 1) return [event];
  const answers: EnqueuePart['answers'] = [];
  return parts.map((jobs, at) => {
    return { ...event, jobs, part: { answers, isLast: at === parts.length - 1 } };
  });
}

function isLarge(event: NetEvent): boolean {
  return event.type === 'request' && largeAnswers.has(event.request.name as RequestName);
}

function isHeavy(event: NetEvent): boolean {
  return newBytes(event) + valueBytes(event) > heavyBytes;
}
