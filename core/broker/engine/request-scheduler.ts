/**
 * Whose request is next. Each connection has a line, since its requests take effect in the order in
 * which they were sent. The lines are served in rounds, one visit of each, and a line whose answers
 * nobody reads waits. So whoever asks little waits no longer than for a slice, however many others there
 * are and whatever they ask.
 */

import type { RequestName } from '../../protocol/index.ts';
import type { ConnectionId, NetEvent } from '../events.ts';
import type { SendQuota } from '../state-machine/context/send-quota.ts';
import { newBytes, valueBytes } from './engine-options.ts';
import { RoundRobin } from './round-robin.ts';

/** Time for one turn of the core; what one request takes comes on top. */
export const sliceMs = 4;
/** Time for one line in a round. */
const visitMs = 1;
/** Requests of one line in a round. */
const visitMax = 64;
/** So few requests of one line are little. */
const smallMax = 8;
/** Requests of a turn: a bound also where the clock stands still. */
const turnMax = 2_000;
/** Large answers that are in the making at one time: one is read from the disk while another is encoded. */
const makingMax = 2;

/** Requests whose answers are made from much of what the broker has: one at a time for each connection. */
const largeAnswers: ReadonlySet<RequestName> = new Set<RequestName>([
  'Inspect',
  'List',
  'Result',
  'Stats',
  'BlobGet',
  'JournalGet',
]);

/** So many bytes are much for the log: they wait while it is behind, or they would keep what is small waiting. */
const heavyBytes = 64 * 1024;
/** With so much waiting for the disk the log is behind: by some hundredths of a second. */
const behindBytes = 4 * 1024 * 1024;

/** What the turns depend on besides their own requests. */
export interface RequestSchedulerOptions {
  readonly unsent: SendQuota;
  /** Time that only passes while there is work, in milliseconds. */
  readonly nowMs: () => number;
  /** What waits for the disk. */
  readonly unwrittenBytes: () => number;
}

interface Line {
  readonly connection: ConnectionId;
  events: NetEvent[];
  /** How many of them are done. */
  at: number;
  /** An answer is being made. */
  isMaking: boolean;
  /** The peer is gone: what only tells is left out, the rest takes effect. */
  isGone: boolean;
}

export class RequestScheduler {
  readonly #lines: Map<ConnectionId, Line> = new Map();
  /** Those that may have something to do. */
  readonly #ready: RoundRobin<Line> = new RoundRobin();
  /** Those that must wait: for an answer in the making, for their peer to read, or for the disk. */
  readonly #waiting: Set<Line> = new Set();
  /** Those that asked for a large answer in this turn. */
  readonly #asked: Set<Line> = new Set();
  readonly #options: RequestSchedulerOptions;
  #making = 0;

  constructor(options: RequestSchedulerOptions) {
    this.#options = options;
  }

  add(event: NetEvent): void {
    const { connection } = event;
    let line = this.#lines.get(connection);
    if (line === undefined) {
      line = { connection, events: [], at: 0, isMaking: false, isGone: false };
      this.#lines.set(connection, line);
    }
    if (event.type === 'closed') line.isGone = true;
    line.events.push(event);
    if (!this.#waiting.has(line) || line.isGone) this.#toReady(line);
  }

  /** True when there is something that could be done at once. */
  get hasMore(): boolean {
    for (const line of this.#waiting) if (this.#mayGoOn(line)) this.#toReady(line);
    return this.#ready.size > 0;
  }

  /** The next events, for as long as a turn may last. Each is to be handled before the next is taken. */
  *take(): Generator<NetEvent> {
    const untilMs = this.#options.nowMs() + sliceMs;
    let left = turnMax;
    while (left > 0 && this.hasMore && this.#options.nowMs() <= untilMs) {
      const line = this.#ready.take();
      if (line === undefined) return;
      for (const event of this.#visit(line)) {
        left -= 1;
        yield event;
      }
      this.#putBack(line);
    }
  }

  /** Records are being read for an answer to the connection. */
  reading(connection: ConnectionId): void {
    const line = this.#lines.get(connection);
    if (line !== undefined) this.#asked.delete(line);
  }

  /** The answer that records were read for is made. */
  made(connection: ConnectionId): void {
    const line = this.#lines.get(connection);
    if (line !== undefined) this.#setMaking(line, false);
  }

  /** All that the events of this turn led to was done: what is not being read by now is made. */
  settle(): void {
    for (const line of this.#asked) this.#setMaking(line, false);
    this.#asked.clear();
  }

  #setMaking(line: Line, isMaking: boolean): void {
    if (line.isMaking === isMaking) return;
    line.isMaking = isMaking;
    this.#making += isMaking ? 1 : -1;
  }

  *#visit(line: Line): Generator<NetEvent> {
    let used = 0;
    while (used < 1 && this.#mayGoOn(line)) {
      const event = line.events[line.at] as NetEvent;
      line.at += 1;
      if (line.isGone && isLarge(event)) continue;
      const beganAtMs = this.#options.nowMs();
      // Until its answer is made nobody knows how large it is, and the next request waits.
      if (isLarge(event)) {
        this.#setMaking(line, true);
        this.#asked.add(line);
      }
      yield event;
      used += Math.max(1 / visitMax, (this.#options.nowMs() - beganAtMs) / visitMs);
    }
    this.#ready.use(line, used);
  }

  #putBack(line: Line): void {
    if (line.at < line.events.length) {
      // A long line is not copied for each visit: only when as much is done as is left.
      if (line.at * 2 > line.events.length) {
        line.events = line.events.slice(line.at);
        line.at = 0;
      }
      if (this.#mayGoOn(line)) this.#toReady(line);
      else this.#waiting.add(line);
      return;
    }
    line.events = [];
    line.at = 0;
    if (!line.isGone) return;
    this.#setMaking(line, false);
    this.#lines.delete(line.connection);
  }

  #toReady(line: Line): void {
    this.#waiting.delete(line);
    this.#ready.add(line, line.events.length - line.at <= smallMax);
  }

  get #isLogBehind(): boolean {
    return this.#options.unwrittenBytes() > behindBytes;
  }

  #mayGoOn(line: Line): boolean {
    const event = line.events[line.at];
    if (event === undefined) return false;
    if (line.isGone || event.type === 'opened') return true;
    if (line.isMaking) return false;
    const { unsent } = this.#options;
    if (isLarge(event)) return this.#making < makingMax && unsent.takesLarge(line.connection);
    return unsent.takesSmall(line.connection) && !(this.#isLogBehind && isHeavy(event));
  }
}

function isLarge(event: NetEvent): boolean {
  return event.type === 'request' && largeAnswers.has(event.request.name as RequestName);
}

function isHeavy(event: NetEvent): boolean {
  return newBytes(event) + valueBytes(event) > heavyBytes;
}
