/**
 * The oracle of simulation and model test: it sees every decision of the broker's core as it is
 * made, every message as it leaves, and what is left after a crash. It keeps the reference (`Book`),
 * the law (`Rules`) and what was promised (`Promises`), and says where they contradict each other.
 */

import type { Now, Outgoing } from '../../core/broker/events.ts';
import type { CoreEvent, Effect } from '../../core/broker/state-machine/context/effects.ts';
import { decodeRecord, type LogRecord } from '../../core/broker/state-machine/records/records.ts';
import type { JobInfo } from '../../core/protocol/index.ts';
import { AnswerChecks, seqOfKey } from './answers.ts';
import { Book, type BookJob } from './book.ts';
import { Promises } from './promises.ts';
import { type RuleOptions, Rules } from './rules.ts';
import { singlesOf } from './singles.ts';

export class Oracle {
  readonly book = new Book();
  readonly promises = new Promises();
  readonly rules: Rules;
  readonly #answers: AnswerChecks;
  /** Up to where the log must be found again: what was revealed depends on it. */
  #provenOffset = 0;
  #offset = 0;
  /** Where in the log each message was decided. */
  readonly #heldAt = new WeakMap<object, number>();
  /** Told of every decision before the book has it, for counters. */
  /** A record, before the book has it. */
  onRecord: (record: LogRecord) => void = () => undefined;

  constructor(options: RuleOptions) {
    const violate = (text: string): void => this.promises.violate(text);
    this.rules = new Rules(this.book, options, violate);
    this.#answers = new AnswerChecks(this.book, this.rules, this.promises);
  }

  get violations(): readonly string[] {
    return this.promises.violations;
  }

  /** Told of every settle that is answered, with the job as it is then. */
  set onSettle(told: AnswerChecks['onSettle']) {
    this.#answers.onSettle = told;
  }

  /** Offset of the newest record that the core made. */
  get offset(): number {
    return this.#offset;
  }

  /** The core handled these events (or only the time) and wants this done. */
  decided(events: readonly CoreEvent[], now: Now, effects: readonly Effect[]): void {
    this.rules.begin(now);
    for (const event of events) {
      this.rules.note(event);
      this.#answers.note(event);
    }
    for (const effect of effects) {
      if (effect.type === 'append') this.#append(effect.record);
      if (effect.type === 'send') {
        this.#heldAt.set(effect.outgoing, this.#offset);
        this.#answers.decided(effect.outgoing);
      }
    }
    this.#answers.end();
  }

  /** A message left the broker: what it tells is promised. */
  revealed(outgoing: Outgoing): void {
    const heldAt = this.#heldAt.get(outgoing);
    if (heldAt !== undefined && heldAt > this.#provenOffset) {
      this.#provenOffset = heldAt;
      this.book.history.forgetUpTo(heldAt);
    }
    this.#answers.revealed(outgoing);
  }

  /** The broker died; the log was found to end at `offset`. */
  recovered(offset: number, now: Now): void {
    if (offset < this.#provenOffset) {
      this.promises.violate(
        `the log ends at ${offset}, but answers were given up to ${this.#provenOffset}`,
      );
    }
    this.book.history.rollBackTo(offset);
    this.#offset = offset;
    this.rules.restarted(now);
    this.#answers.restarted();
    this.#checkPromises();
  }

  /**
   * The broker told all jobs it knows, with nothing under way: they are those of the book. Unless
   * all of the log is readable, texts may be missing.
   */
  compare(infos: readonly JobInfo[], isReadable = true): void {
    const seen = new Set<string>();
    for (const info of infos) {
      seen.add(info.id);
      const job = this.book.jobs.get(info.id);
      const problem =
        job === undefined
          ? 'nobody accepted it'
          : this.#difference(job, isReadable ? info : withTexts(info, job));
      if (problem !== null) this.promises.violate(`after the restart job ${info.id}: ${problem}`);
    }
    for (const { id, state } of this.book.jobs.values()) {
      if (!seen.has(id)) this.promises.violate(`after the restart job ${id} (${state}) is lost`);
    }
  }

  /** A delay that ran out is no record: the clock alone makes such a job ready. */
  #difference(job: BookJob, info: JobInfo): string | null {
    const isDue = job.state === 'delayed' && info.state === 'ready' && this.rules.wasDue(job);
    return difference(isDue ? { ...job, state: 'ready', dueAtMs: 0 } : job, info);
  }

  #append(bytes: Uint8Array): void {
    this.#offset++;
    const record = decodeRecord(bytes);
    this.onRecord(record);
    for (const single of singlesOf(record)) this.#decided(single);
  }

  #decided(record: LogRecord): void {
    this.rules.check(record);
    try {
      this.book.apply(record, this.#offset);
    } catch (error) {
      this.promises.violate(error instanceof Error ? error.message : String(error));
    }
    this.rules.applied(record);
    this.#answers.record(record);
  }

  /** What was answered before the crash still holds. */
  #checkPromises(): void {
    const bySeq = new Map([...this.book.jobs.values()].map((job) => [job.seq, job]));
    for (const [key, promised] of this.promises.jobs) {
      const seq = seqOfKey(key);
      const job = bySeq.get(seq);
      if (job === undefined) {
        const isLost = promised.accepted && !this.book.forgotten.has(seq);
        if (isLost) this.promises.violate(`accepted job ${key} is lost`);
      } else if (promised.acked !== null && job.state !== 'done') {
        this.promises.violate(`acknowledged job ${key} is ${job.state} after the restart`);
      } else if (promised.cancelled && job.state !== 'cancelled') {
        this.promises.violate(`cancelled job ${key} is ${job.state} after the restart`);
      }
    }
  }
}

function resultDifference(job: BookJob, info: JobInfo): string | null {
  if (info.resultBytes > 0 && job.result === null && job.output === null)
    return 'it has a result that nobody gave';
  const output = job.output === null ? 'none' : job.written ? 'written' : 'unwritten';
  if (info.output !== output) return `its files are ${info.output}, not ${output}`;
  if (job.result !== null && job.result !== '' && info.resultBytes === 0)
    return 'its result is lost';
  return null;
}

/** What differs between the reference and what the broker tells, or null. */
function difference(job: BookJob, info: JobInfo): string | null {
  if (job.state !== info.state) return `it is ${info.state}, not ${job.state}`;
  const fields = [
    'queue',
    'attempts',
    'attemptsMax',
    'crashes',
    'returns',
    'deliveries',
    'bodyBytes',
    'priority',
    'parkKey',
    'enqueuedAtMs',
    'note',
  ] as const;
  const wrong = fields.find((field) => job[field] !== info[field]);
  if (wrong !== undefined) return `${wrong} is ${info[wrong]}, not ${job[wrong]}`;
  const errorCode = job.isExpired ? 'expired' : job.errorCode;
  if (info.errorCode !== errorCode) return `its error is ${info.errorCode}, not ${errorCode}`;
  if (job.dueAtMs !== info.dueAtMs) return `due at ${info.dueAtMs}, not ${job.dueAtMs}`;
  const result = resultDifference(job, info);
  if (result !== null) return result;
  const { calls, inputTokens, costMicros } = info.usage;
  const same =
    calls === job.usage.calls &&
    inputTokens === job.usage.inputTokens &&
    costMicros === job.usage.costMicros;
  return same ? null : 'its usage differs';
}

/** The info with what only the log tells taken from the book. */
function withTexts(info: JobInfo, job: BookJob): JobInfo {
  const { enqueuedAtMs, note, usage, result } = job;
  const errorCode = job.isExpired ? 'expired' : job.errorCode;
  return { ...info, enqueuedAtMs, note, usage, errorCode, resultBytes: result === null ? 0 : 1 };
}
