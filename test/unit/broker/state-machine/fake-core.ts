/** Stands in for the broker's core: a log in memory, one apply function, and all answers at hand. */

import type { Answering } from '../../../../core/broker/state-machine/context/effect-list.ts';
import type { Reply } from '../../../../core/broker/state-machine/context/effects.ts';
import type {
  RequestContext,
  RequestCore,
} from '../../../../core/broker/state-machine/context/request.ts';
import {
  decodeRecord,
  encodeRecord,
  type LogRecord,
} from '../../../../core/broker/state-machine/records/records.ts';
import { SegmentSummary } from '../../../../core/broker/state-machine/records/segment-summary.ts';
import {
  type ErrorCode,
  errorCodeOf,
  type Message,
  type MessageName,
} from '../../../../core/protocol/index.ts';

export type Apply = (record: LogRecord, offset: number) => void;

/** What was answered: the name of the message, or the code of the error. */
export interface Answered {
  readonly name: MessageName | ErrorCode;
  readonly fields: Record<string, unknown>;
}

export class FakeCore implements RequestCore, Answering {
  readonly effects: Answering = this;
  /** Records by offset; those before `firstOffset` were dropped. */
  readonly log: Map<number, Uint8Array> = new Map();
  readonly sent: Answered[] = [];
  fetches: (readonly number[])[] = [];
  endOffset = 0;
  apply: Apply;

  constructor(apply: Apply) {
    this.apply = apply;
  }

  /** Goes through the bytes, so that what does not survive the log fails here. */
  commit(record: LogRecord): number {
    const bytes = encodeRecord(record).slice();
    const offset = ++this.endOffset;
    this.log.set(offset, bytes);
    const applied = bytes.slice();
    this.apply(decodeRecord(applied), offset);
    // Records lie in buffers that are used again: whoever kept a view now holds rubbish.
    applied.fill(0xee);
    return offset;
  }

  send<N extends MessageName>(_to: number, _id: number, name: N, fields: Message<N>): void {
    this.#answered({ name, fields } as unknown as Reply);
  }

  fetch(
    _to: number,
    _id: number,
    offsets: readonly number[],
    then: (records: readonly Uint8Array[]) => Reply,
  ): void {
    this.fetches.push(offsets);
    this.#answered(then(offsets.map((offset) => this.read(offset))));
  }

  read(offset: number): Uint8Array {
    const bytes = this.log.get(offset);
    if (bytes === undefined) throw new Error(`record ${offset} is not in the log`);
    return bytes;
  }

  dropBefore(offset: number): void {
    for (const before of this.log.keys()) {
      if (before < offset) this.log.delete(before);
    }
  }

  /** Applies what is left of the log, as a start would. */
  replayInto(apply: Apply): void {
    for (const [offset, bytes] of this.log) apply(decodeRecord(bytes.slice()), offset);
  }

  /** The same from summaries of segments, the last segment excepted. */
  replaySummariesInto(apply: Apply, recordsPerSegment: number): void {
    const records = [...this.log].map(([offset, bytes]) => ({ offset, bytes }));
    while (records.length > recordsPerSegment) {
      const summary = new SegmentSummary();
      for (const record of records.splice(0, recordsPerSegment)) summary.add(record);
      for (const { offset, bytes } of summary.finish()) apply(decodeRecord(bytes), offset);
    }
    for (const { offset, bytes } of records) apply(decodeRecord(bytes), offset);
  }

  kinds(): string[] {
    return [...this.log.values()].map((bytes) => decodeRecord(bytes).kind);
  }

  /** Runs one request and returns its one answer. */
  ask(session: string, wallMs: number, request: (caller: RequestContext) => void): Answered {
    const before = this.sent.length;
    const now = { wallMs, monotonicMs: wallMs, systemMs: wallMs };
    request({ core: this, session: { id: session }, connection: 1, correlationId: 7, now });
    const [answered, ...others] = this.sent.slice(before);
    if (answered === undefined || others.length > 0) {
      throw new Error(`${others.length + (answered ? 1 : 0)} answers to one request`);
    }
    return answered;
  }

  #answered({ name, fields }: Reply): void {
    if (name === 'Error') this.sent.push({ name: errorCodeOf(fields.code), fields });
    else this.sent.push({ name, fields });
  }
}

/** The text of an error's message. */
export function textOf(answered: Answered): string {
  return String(answered.fields['message']);
}
