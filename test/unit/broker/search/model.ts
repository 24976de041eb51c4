/**
 * The history as plainly as it can be said: a map of infos, changed record by record, searched by
 * looking at all of them. Random histories and searches are held against it.
 */

import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import type { SearchFilter } from '../../../../core/broker/search/search-query.ts';
import type { LogRecord, RecordOf } from '../../../../core/broker/state-machine/records/records.ts';
import {
  encodeJob,
  idToText,
  type JobInfo,
  type NewJob,
  noUsage,
} from '../../../../core/protocol/index.ts';

/** The id of job `number`. */
export function idOf(number: number): string {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(0, number);
  return idToText(bytes);
}

/** An encoded job; what is not given is plain. */
export function jobOf(number: number, given: Partial<NewJob> = {}): Uint8Array {
  const job: NewJob = {
    id: idOf(number),
    queue: 'summarize',
    digest: new Uint8Array(16),
    body: new Uint8Array(3),
    agent: 'summarize',
    agentDigest: new Uint8Array(32),
    source: '',
    createdAtMs: 0,
    ...given,
  };
  return encodeJob(job, crc32);
}

/** One job is accepted; its acceptance number is its number unless another is given. */
export function enqueued(
  number: number,
  given: Partial<NewJob> = {},
  at: { readonly atMs?: number; readonly dueAtMs?: number; readonly seq?: number } = {},
): RecordOf<'enqueued'> {
  const { atMs = 1, dueAtMs = 0, seq = number } = at;
  return { kind: 'enqueued', atMs, jobs: [{ seq, dueAtMs, job: jobOf(number, given) }] };
}

export function delivered(number: number, atMs = 2): RecordOf<'delivered'> {
  const job = { id: idOf(number), delivery: 1, isolated: false, session: 0 };
  return { kind: 'delivered', epoch: 1, atMs, sessions: [session], jobs: [job] };
}

const session = idOf(77);

/** A lease ended; an ack unless something else is given. */
export function leaseEnded(
  number: number,
  given: Partial<RecordOf<'leaseEnded'>> = {},
): RecordOf<'leaseEnded'> {
  return {
    kind: 'leaseEnded',
    id: idOf(number),
    end: 'ack',
    state: 'done',
    dueAtMs: 0,
    parkKey: '',
    attempts: 0,
    crashes: 0,
    returns: 0,
    returnsSinceMs: 0,
    fullBytes: 0,
    delivery: 1,
    session,
    errorCode: '',
    errorMessage: '',
    note: '',
    usage: noUsage,
    result: null,
    output: null,
    prompts: null,
    enqueue: [],
    previous: 0,
    atMs: 3,
    ...given,
  };
}

/** What compaction says of a job: all of it. */
export function snapshotOf(seq: number, info: JobInfo): RecordOf<'snapshot'> {
  const job = encodeJob(
    {
      ...info,
      digest: new Uint8Array(16),
      body: new Uint8Array(0),
      agentDigest: new Uint8Array(32),
      createdAtMs: 0,
    },
    crc32,
  );
  const { resultBytes, output: _, ...rest } = info;
  const result = { inline: new Uint8Array(resultBytes), blob: null };
  return {
    ...rest,
    kind: 'snapshot',
    seq,
    job,
    result: resultBytes === 0 ? null : result,
    output: null,
    written: true,
    prompts: null,
    returnsSinceMs: 0,
    bodyInLog: true,
    jobBytes: job.length,
    lastBytes: 0,
    leaseEpoch: 1,
    session: null,
    isolated: false,
    lastEnd: null,
    history: [],
  };
}

/** A search without any condition. */
export const everything: SearchFilter = {
  queue: null,
  states: [],
  agent: null,
  tag: null,
  text: null,
  errorCode: null,
  sinceMs: 0,
  untilMs: 0,
  costMicrosMin: 0,
  after: '',
  limit: 1000,
};

interface Known {
  readonly seq: number;
  readonly info: JobInfo;
}

/** All jobs by id. */
export class Model {
  readonly jobs: Map<string, Known> = new Map();

  accept(number: number, seq: number, given: Partial<NewJob>, at: [number, number]): void {
    const [atMs, dueAtMs] = at;
    const { parkKey = '' } = given;
    const waits = dueAtMs > 0 ? 'delayed' : 'ready';
    const info: JobInfo = {
      id: idOf(number),
      queue: given.queue ?? 'summarize',
      agent: given.agent ?? 'summarize',
      source: given.source ?? '',
      state: parkKey === '' ? waits : 'parked',
      attempts: 0,
      attemptsMax: given.attemptsMax ?? 4,
      crashes: 0,
      returns: 0,
      deliveries: 0,
      bodyBytes: 3,
      enqueuedAtMs: atMs,
      changedAtMs: atMs,
      dueAtMs: parkKey === '' ? dueAtMs : 0,
      expiresAtMs: given.expiresAtMs ?? 0,
      priority: given.priority ?? 'normal',
      tags: [...(given.tags ?? [])],
      parkKey,
      resultBytes: 0,
      output: 'none',
      errorCode: '',
      errorMessage: '',
      note: '',
      usage: noUsage,
    };
    this.jobs.set(info.id, { seq, info });
  }

  change(id: string, change: Partial<JobInfo>): void {
    const known = this.jobs.get(id);
    if (known === undefined) return;
    this.jobs.set(id, { seq: known.seq, info: { ...known.info, ...change } });
  }

  /** All that fit, newest first. */
  search(filter: SearchFilter, nowMs: number): JobInfo[] {
    return [...this.jobs.values()]
      .sort((left, right) => right.seq - left.seq)
      .map(({ info }) =>
        info.state === 'delayed' && info.dueAtMs <= nowMs
          ? { ...info, state: 'ready' as const, changedAtMs: info.dueAtMs, dueAtMs: 0 }
          : info,
      )
      .filter((info) => fits(info, filter));
  }
}

const tokensOf = (text: string): string[] => text.toLowerCase().match(/[a-z0-9]+/g) ?? [];

function fits(info: JobInfo, filter: SearchFilter): boolean {
  const { source, note, errorCode, errorMessage, changedAtMs } = info;
  const tokens = tokensOf(`${source} ${note} ${errorCode} ${errorMessage}`);
  const untilMs = filter.untilMs === 0 ? Number.MAX_SAFE_INTEGER : filter.untilMs;
  return [
    (filter.queue ?? info.queue) === info.queue,
    (filter.agent ?? info.agent) === info.agent,
    (filter.errorCode ?? errorCode) === errorCode,
    filter.states.length === 0 || filter.states.includes(info.state),
    filter.tag === null || info.tags.includes(filter.tag),
    changedAtMs >= filter.sinceMs && changedAtMs <= untilMs,
    info.usage.costMicros >= filter.costMicrosMin,
    tokensOf(filter.text ?? '').every((token) => tokens.includes(token)),
  ].every((holds) => holds);
}

/** What happens to one of twelve jobs. */
export interface Step {
  readonly what:
    | 'enqueue'
    | 'deliver'
    | 'end'
    | 'cancel'
    | 'retry'
    | 'signal'
    | 'expire'
    | 'forget'
    | 'restate'
    | 'other';
  readonly job: number;
  readonly pick: number;
}

const common = (what: 'enqueue' | 'deliver' | 'end') => ({
  arbitrary: fc.constant(what),
  weight: 5,
});

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    what: fc.oneof(
      common('enqueue'),
      common('deliver'),
      common('end'),
      fc.constantFrom(
        ...(['cancel', 'retry', 'signal', 'expire', 'forget', 'restate', 'other'] as const),
      ),
    ),
    job: fc.integer({ min: 1, max: 12 }),
    pick: fc.nat(10_000),
  }),
  // Without it the lists would hardly ever have more than ten steps.
  { maxLength: 120, size: 'max' },
);

const one = <T>(list: readonly [T, ...T[]], pick: number): T => list[pick % list.length] ?? list[0];
const queues = ['summarize', 'translate'] as const;
const sources = ['docs/one.txt', 'docs/two.txt', ''] as const;
const states = ['done', 'done', 'dead', 'ready', 'delayed', 'parked'] as const;

/** Turns steps into records, and tells the model of each as soon as it is made. */
export function* recordsOf(all: readonly Step[], model: Model): Generator<LogRecord> {
  for (const [index, step] of all.entries()) yield recordOf(step, index + 1, model);
}

function recordOf({ what, job, pick }: Step, atMs: number, model: Model): LogRecord {
  const id = idOf(job);
  const known = model.jobs.get(id);
  const over = { changedAtMs: atMs, dueAtMs: 0, parkKey: '' };
  switch (what) {
    case 'enqueue':
      return enqueueOf(known === undefined ? job : 1000 + atMs, pick, atMs, model);
    case 'deliver':
      model.change(id, { ...over, state: 'leased', deliveries: 1 });
      return delivered(job, atMs);
    case 'end':
      return endOf(job, pick, atMs, model);
    case 'cancel':
      model.change(id, { ...over, state: 'cancelled' });
      return { kind: 'cancelled', ids: [id], atMs };
    case 'retry': {
      const counters = { attempts: 0, crashes: 0, returns: 0, expiresAtMs: 0 };
      model.change(id, { ...over, ...counters, state: 'ready' });
      return { kind: 'retried', ids: [id], atMs };
    }
    case 'signal':
      model.change(id, { ...over, state: 'ready' });
      return { kind: 'signalled', ids: [id], atMs };
    case 'expire': {
      const errorMessage = 'it was not delivered before it expired';
      model.change(id, { ...over, state: 'dead', errorCode: 'expired', errorMessage });
      return { kind: 'expired', ids: [id], atMs };
    }
    case 'forget':
      model.jobs.delete(id);
      return { kind: 'forgotten', ids: [id] };
    case 'restate':
      if (known !== undefined) return snapshotOf(known.seq, known.info);
      return { kind: 'unpaused', queue: 'summarize', atMs };
    case 'other':
      return { kind: 'paused', queue: 'summarize', atMs };
  }
}

function enqueueOf(number: number, pick: number, atMs: number, model: Model): LogRecord {
  const given = {
    queue: one(queues, pick),
    agent: one(['a', 'b', 'c'], pick),
    source: one(sources, pick),
    tags: pick % 4 === 0 ? ['red', 'red', `t${pick % 3}`] : [],
    parkKey: pick % 7 === 0 ? 'gate' : '',
    expiresAtMs: pick % 6 === 0 ? 5000 : 0,
  };
  const dueAtMs = pick % 5 === 0 ? atMs + (pick % 60) + 1 : 0;
  model.accept(number, atMs, given, [atMs, dueAtMs]);
  return enqueued(number, given, { seq: atMs, atMs, dueAtMs });
}

/** The end of a lease, every fourth with a follow-up job. */
function endOf(job: number, pick: number, atMs: number, model: Model): LogRecord {
  const state = one(states, pick);
  const failed = state !== 'done';
  const change = {
    state,
    dueAtMs: state === 'delayed' ? atMs + (pick % 40) + 1 : 0,
    parkKey: state === 'parked' ? 'gate' : '',
    attempts: pick % 4,
    crashes: pick % 3,
    returns: pick % 2,
    errorCode: failed ? one(['TIMEOUT', 'BAD_ANSWER'], pick) : '',
    errorMessage: failed ? 'no answer came' : '',
    note: failed ? '' : '{"files":["out/one.md"]}',
    usage: { ...noUsage, calls: 1, costMicros: pick % 50, estimated: pick % 2 === 0 },
  };
  const withResult = state === 'done' && pick % 3 === 0;
  model.change(idOf(job), {
    ...change,
    changedAtMs: atMs,
    ...(withResult ? { resultBytes: 5 } : {}),
  });
  const enqueue: RecordOf<'leaseEnded'>['enqueue'] = [];
  if (pick % 4 === 0) {
    const number = 2000 + atMs;
    model.accept(number, atMs, {}, [atMs, 0]);
    enqueue.push({ seq: atMs, dueAtMs: 0, job: jobOf(number) });
  }
  const result = withResult ? { inline: new Uint8Array(5), blob: null } : null;
  return leaseEnded(job, { ...change, atMs, enqueue, result });
}

const orNull = <T>(...values: T[]) => fc.constantFrom(null, null, ...values);

/** Searches that fit some jobs of such histories. */
export const filters: fc.Arbitrary<SearchFilter> = fc.record({
  queue: orNull(...queues, 'nowhere'),
  states: fc.uniqueArray(
    fc.constantFrom('ready', 'delayed', 'leased', 'done', 'dead', 'cancelled', 'parked'),
    { maxLength: 3 },
  ),
  agent: orNull('a', 'b', 'nobody'),
  tag: orNull('red', 't1'),
  text: orNull('one', 'docs/two', 'answer TIMEOUT', 'docs one', 'expired'),
  errorCode: orNull('TIMEOUT', 'BAD_ANSWER', ''),
  sinceMs: fc.constantFrom(0, 0, 20, 60),
  untilMs: fc.constantFrom(0, 0, 70, 100),
  costMicrosMin: fc.constantFrom(0, 0, 25),
  after: fc.constant(''),
  limit: fc.constantFrom(1, 2, 7, 1000),
});
