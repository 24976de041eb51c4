/**
 * Holds answers against the reference: first when the core decides them, with the records of the
 * same event at hand; then when they leave, because only then they are promises.
 */

import { crc32 } from 'node:zlib';
import type { Outgoing } from '../../core/broker/events.ts';
import type { CoreEvent } from '../../core/broker/state-machine/context/effects.ts';
import type { LogRecord, RecordOf } from '../../core/broker/state-machine/records/records.ts';
import {
  type AnyMessage,
  decodeJob,
  errorCodes,
  type Message,
  type Settlement,
} from '../../core/protocol/index.ts';
import { problemOfBatch } from './batch-answers.ts';
import { type Book, type BookJob, isTokenOf, keyOf, outputKey, valueKey } from './book.ts';
import { problemOfMoney } from './money-answers.ts';
import type { Promises } from './promises.ts';
import type { Rules } from './rules.ts';

type Request =
  | (AnyMessage & { readonly session: string; readonly about: string | null })
  | { name: 'EnqueueEvent'; event: Extract<CoreEvent, { type: 'enqueue' }> };
type EnqueueItem = Message<'EnqueueOk'>['items'][number];

/** A lease as its record told. */
interface Granted {
  readonly key: string;
  readonly crc: number;
  readonly attempt: number;
  isOver: boolean;
  /** That of an earlier job of the same id, which was forgotten, with the very same token. */
  readonly before: Granted | null;
}

export class AnswerChecks {
  readonly #book: Book;
  readonly #rules: Rules;
  readonly #promises: Promises;
  /** Requests that are not answered yet, by connection and correlation id. */
  #open = new Map<string, Request>();
  /** Of the events being handled: tokens settled, and jobs that a record is about. */
  #settled = new Set<string>();
  #created = new Set<string>();
  /** Which jobs an answer is about, as they were known when it was decided. */
  readonly #keys = new WeakMap<object, (string | null)[]>();
  /** What was ever decided about a delivery. */
  readonly #granted = new Map<string, Granted>();
  readonly #everJournaled = new Map<string, string>();
  readonly #everResult = new Map<string, string | null>();
  readonly #everOutput = new Map<string, string | null>();

  /** Told of every settle that is answered, with the job as it is then. */
  onSettle: (item: Settlement, job: BookJob | undefined) => void = () => undefined;

  constructor(book: Book, rules: Rules, promises: Promises) {
    this.#book = book;
    this.#rules = rules;
    this.#promises = promises;
  }

  note(event: CoreEvent): void {
    if (event.type === 'request') {
      const session = this.#rules.sessions.of(event.connection) ?? '';
      const key = keyOfRequest(event.connection, event.request.correlationId);
      this.#open.set(key, { ...event.request, session, about: this.#aboutOf(event.request) });
    }
    if (event.type === 'enqueue') {
      const request = { name: 'EnqueueEvent' as const, event };
      this.#open.set(keyOfRequest(event.connection, event.correlationId), request);
    }
  }

  end(): void {
    this.#settled.clear();
    this.#created.clear();
  }

  /** Nobody who asked before hears an answer any more. */
  restarted(): void {
    this.#open = new Map();
  }

  /** A record was decided and is in the book. */
  record<N extends LogRecord['kind']>(record: RecordOf<N>): void {
    const note = this.#notes[record.kind];
    note?.(record);
  }

  readonly #notes: { readonly [N in LogRecord['kind']]?: (record: RecordOf<N>) => void } = {
    enqueued: ({ jobs }) => {
      for (const { job } of jobs) this.#created.add(decodeJob(job).id);
    },
    delivered: ({ epoch, jobs }) => {
      for (const { id, delivery } of jobs) this.#deliveryDecided(id, epoch, delivery);
    },
    leaseEnded: ({ id, delivery, end, result, output }) => {
      this.#settled.add(`${id} ${delivery}`);
      this.#leaseIsOver(id);
      if (end !== 'ack') return;
      this.#everResult.set(id, result === null ? null : valueKey(result));
      this.#everOutput.set(id, output === null ? null : outputKey(output));
    },
    cancelled: ({ ids }) => {
      for (const id of ids) this.#leaseIsOver(id);
    },
    journaled: (record) => this.#journaled(record),
  };

  #deliveryDecided(id: string, epoch: number, delivery: number): void {
    const job = this.#book.jobs.get(id);
    if (job === undefined) return;
    const attempt = job.attempts + 1;
    const token = `${id} ${epoch} ${delivery}`;
    const before = this.#granted.get(token) ?? null;
    this.#granted.set(token, { key: keyOfJob(job), crc: job.crc, attempt, isOver: false, before });
  }

  #leaseIsOver(id: string): void {
    const job = this.#book.jobs.get(id);
    const granted = this.#granted.get(`${id} ${job?.leaseEpoch} ${job?.deliveries}`);
    if (granted !== undefined) granted.isOver = true;
  }

  /** The core answers: what it says must be what it did. */
  decided(outgoing: Outgoing): void {
    const { connection, correlationId, name, fields } = outgoing;
    const request = this.#open.get(keyOfRequest(connection, correlationId));
    if (request === undefined) return;
    this.#keepKeys(outgoing, request);
    if (name === 'EnqueueOk' && request.name === 'EnqueueEvent') {
      this.#enqueueDecided(request.event, (fields as Message<'EnqueueOk'>).items);
    }
    this.#tellingDecided(request, outgoing);
    if (name === 'SettleOk' && request.name === 'Settle') {
      const { items } = fields as Message<'SettleOk'>;
      for (const [index, item] of request.fields.items.entries()) {
        this.#settleDecided(item, items[index]?.code ?? -1);
      }
    }
    const isRenewal = request.name === 'Extend' || request.name === 'Resume';
    if (isRenewal && (name === 'ExtendOk' || name === 'ResumeOk')) {
      this.#renewalDecided(request, (fields as Message<'ExtendOk' | 'ResumeOk'>).items);
    }
  }

  /** What is told of files and money is what the records say. */
  #tellingDecided(request: Request, outgoing: Outgoing): void {
    const { name, fields } = outgoing;
    if (name === 'UnwrittenOk') this.#unwrittenDecided(request, outgoing);
    if (name === 'BatchesOk') this.#batchesDecided(fields as Message<'BatchesOk'>);
    const ofMoney = problemOfMoney(this.#book.money, name, fields);
    if (ofMoney !== null) this.#violate(ofMoney);
  }

  /** Each batch counts its jobs, and no others. */
  #batchesDecided({ batches }: Message<'BatchesOk'>): void {
    const jobs = [...this.#book.jobs.values()];
    for (const { name, counts, tried, failed } of batches) {
      const own = jobs.filter((job) => job.batch === name);
      const problem = problemOfBatch(own, { counts, tried, failed });
      if (problem !== null) this.#violate(`batch ${name}: ${problem}`);
    }
  }

  /** Code 0 renews the lease, unless it comes with word of a cancellation. */
  #renewalDecided(
    { fields, session }: Extract<Request, { name: 'Extend' | 'Resume' }>,
    items: readonly { readonly code: number; readonly directive?: string }[],
  ): void {
    for (const [index, token] of fields.tokens.entries()) {
      const { code = -1, directive = 'none' } = items[index] ?? {};
      if (code === 0 && directive !== 'cancel') this.#rules.renewed(token, session);
    }
  }

  /** The message leaves. */
  revealed(outgoing: Outgoing): void {
    const { connection, correlationId, name, fields } = outgoing;
    if (name === 'Deliver') this.#delivered(fields as Message<'Deliver'>);
    const key = keyOfRequest(connection, correlationId);
    const request = this.#open.get(key);
    if (request === undefined) return;
    this.#open.delete(key);
    if (name === 'EnqueueOk') this.#enqueueRevealed(outgoing);
    if (name === 'SettleOk' && request.name === 'Settle') {
      this.#settleRevealed(request.fields, outgoing);
    }
    if (name === 'CancelOk') this.#cancelRevealed(outgoing);
    if (name === 'JournalOk') {
      this.#journalRevealed(request, (fields as Message<'JournalOk'>).value);
    }
    if (name === 'OutputOk' && request.name === 'Output') {
      this.#outputRevealed(request.fields.id, fields as Message<'OutputOk'>);
    }
    if (name === 'ResultOk' && request.name === 'Result') {
      this.#resultRevealed(request.fields.id, fields as Message<'ResultOk'>);
    }
  }

  #enqueueRevealed(outgoing: Outgoing): void {
    for (const [index, { outcome }] of (outgoing.fields as Message<'EnqueueOk'>).items.entries()) {
      const accepted = this.#keyAt(outgoing, index);
      if (outcome !== 'refused' && accepted !== null) this.#promises.accepted(accepted);
    }
  }

  #enqueueDecided(
    { jobs, atomic }: Extract<CoreEvent, { type: 'enqueue' }>,
    items: readonly EnqueueItem[],
  ): void {
    const refused = items.some(({ outcome }) => outcome === 'refused');
    for (const [index, checked] of jobs.entries()) {
      const item = items[index];
      if (!checked.ok || item === undefined) continue;
      if (atomic && refused && item.outcome !== 'refused') {
        this.#violate(`${item.id}: an atomic batch was accepted in part`);
      }
      const digest = keyOf(checked.job.digest);
      const rivals = jobs.some(
        (other) =>
          other.ok && other.job.id === checked.job.id && keyOf(other.job.digest) !== digest,
      );
      this.#enqueueItem(item, digest, rivals);
    }
  }

  /** `rivals`: the same batch has another job of that id. */
  #enqueueItem({ id, outcome, code }: EnqueueItem, digest: string, rivals: boolean): void {
    const known = this.#book.jobs.get(id);
    const isNew = this.#created.has(id);
    if (outcome === 'created' && !isNew) this.#violate(`${id} was created without a record`);
    if (outcome === 'exists' && known === undefined) this.#violate(`${id} exists for nobody`);
    if (outcome !== 'refused' && known !== undefined && known.digest !== digest) {
      this.#violate(`${id} was taken for a job with other content`);
    }
    const agrees = known === undefined || known.digest === digest;
    if (code === errorCodes.CONFLICT.number && agrees && !rivals) {
      this.#violate(`${id} conflicts with nothing`);
    }
  }

  /** Code 0: this settle ended the lease, now or the first time that it was said. */
  #settleDecided(item: Settlement, code: number): void {
    const { token, outcome } = item;
    const job = this.#book.jobs.get(token.id);
    const endedNow = this.#settled.has(`${token.id} ${token.delivery}`);
    this.onSettle(item, job);
    if (code !== 0) return;
    if (job === undefined || !isTokenOf(job, token)) {
      this.#violate(`${token.id}: a settle with a stale token was accepted`);
    } else if (!endedNow && job.lastEnd !== outcome) {
      this.#violate(`${token.id}: settle ${outcome} was accepted after ${job.lastEnd}`);
    }
  }

  #settleRevealed({ items }: Message<'Settle'>, outgoing: Outgoing): void {
    const answered = (outgoing.fields as Message<'SettleOk'>).items;
    for (const [index, { token, outcome }] of items.entries()) {
      const key = this.#keyAt(outgoing, index);
      if (answered[index]?.code !== 0 || outcome !== 'ack' || key === null) continue;
      this.#promises.acked(key, token);
    }
  }

  #cancelRevealed(outgoing: Outgoing): void {
    for (const [index, { code }] of (outgoing.fields as Message<'CancelOk'>).items.entries()) {
      const key = this.#keyAt(outgoing, index);
      if (code === 0 && key !== null) this.#promises.cancelled(key);
    }
  }

  /** An id may be forgotten and used anew before the answer leaves. */
  #keepKeys(outgoing: Outgoing, request: Request): void {
    const ids =
      request.name === 'EnqueueEvent'
        ? request.event.jobs.map((checked) => (checked.ok ? checked.job.id : ''))
        : request.name === 'Settle'
          ? request.fields.items.map(({ token }) => token.id)
          : request.name === 'Cancel'
            ? request.fields.ids
            : [];
    if (ids.length === 0) return;
    const keys = ids.map((id) => {
      const job = this.#book.jobs.get(id);
      return job === undefined ? null : keyOfJob(job);
    });
    this.#keys.set(outgoing, keys);
  }

  #keyAt(outgoing: Outgoing, index: number): string | null {
    return this.#keys.get(outgoing)?.[index] ?? null;
  }

  /** The job's very bytes go to the session that the lease was granted to. */
  #delivered({ items }: Message<'Deliver'>): void {
    for (const { token, job, attempt } of items) {
      let granted = this.#granted.get(`${token.id} ${token.epoch} ${token.delivery}`);
      while (granted?.before?.isOver === true && granted.crc !== crc32(job)) {
        granted = granted.before;
      }
      if (granted === undefined) {
        this.#violate(`${token.id} was delivered without a record`);
        continue;
      }
      if (granted.crc !== crc32(job)) this.#violate(`${token.id} was delivered with other bytes`);
      if (granted.attempt !== attempt) {
        this.#violate(`${token.id} was delivered as attempt ${attempt}, not ${granted.attempt}`);
      }
      // On another connection what ended the lease may be heard first: its token is worth nothing then.
      if (!granted.isOver) this.#promises.delivered(granted.key, token);
    }
  }

  #journalRevealed(request: Request, value: Message<'JournalOk'>['value']): void {
    if (request.name !== 'JournalPut' && request.name !== 'JournalGet') return;
    const { about } = request;
    const key = `${about} ${keyOf(request.fields.callHash)}`;
    if (value === null) {
      if (request.name === 'JournalPut') this.#violate(`${key}: a journal put told nothing`);
      return;
    }
    const standing = this.#everJournaled.get(key);
    if (standing !== valueKey(value)) this.#violate(`${key}: the journal tells what nobody wrote`);
    this.#promises.journaled(key, valueKey(value));
  }

  #journaled({ id, callHash, value }: RecordOf<'journaled'>): void {
    const job = this.#book.jobs.get(id);
    if (job === undefined) return;
    this.#everJournaled.set(`${keyOfJob(job)} ${keyOf(callHash)}`, valueKey(value));
  }

  /** The job that a request about a journal speaks of, as it is known when it comes. */
  #aboutOf(request: AnyMessage): string | null {
    const id =
      request.name === 'JournalPut'
        ? request.fields.token.id
        : request.name === 'JournalGet'
          ? request.fields.id
          : '';
    const job = this.#book.jobs.get(id);
    return job === undefined ? null : keyOfJob(job);
  }

  #resultRevealed(id: string, { value }: Message<'ResultOk'>): void {
    const expected = this.#everResult.get(id) ?? null;
    const told = value === null ? null : valueKey(value);
    if (told !== expected) this.#violate(`${id}: its result is ${told}, not ${expected}`);
  }

  /** The files of a settle are there as they were said, or those of a later job of the same id. */
  #outputRevealed(id: string, { output }: Message<'OutputOk'>): void {
    if (output === null) return;
    const expected = this.#everOutput.get(id) ?? null;
    if (outputKey(output) !== expected) this.#violate(`${id}: its files are not those of its ack`);
  }

  /** A first page names all that is unwritten in the folder and nothing else. */
  #unwrittenDecided(request: Request, { fields }: Outgoing): void {
    if (request.name !== 'Unwritten') return;
    const { dir, after } = request.fields;
    const { jobs, next } = fields as Message<'UnwrittenOk'>;
    const expected = new Set(this.#book.unwrittenIn(dir));
    for (const { id } of jobs) {
      if (!expected.delete(id)) this.#violate(`${id} is no job that is unwritten in ${dir}`);
    }
    const [missing] = expected;
    if (after === 0 && next === 0 && missing !== undefined) {
      this.#violate(`${missing} is unwritten in ${dir}, and the broker does not say so`);
    }
  }

  #violate(text: string): void {
    this.#promises.violate(text);
  }
}

function keyOfRequest(connection: number, correlationId: number): string {
  return `${connection} ${correlationId}`;
}

/** A job as it is known by now: its id, and its acceptance number, which is never given twice. */
function keyOfJob({ id, seq }: { readonly id: string; readonly seq: number }): string {
  return `${id} #${seq}`;
}

export function seqOfKey(key: string): number {
  return Number(key.slice(key.indexOf('#') + 1));
}
