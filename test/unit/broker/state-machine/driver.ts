/** Drives the queue machine as a broker would, with a clock and connections of its own. */

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { encodedBytes } from '../../../../core/broker/engine/message-size.ts';
import {
  type CheckedJob,
  factsOfJob,
  type Left,
  type Now,
  type Outgoing,
} from '../../../../core/broker/events.ts';
import {
  type CoreOptions,
  coreDefaults,
} from '../../../../core/broker/state-machine/context/core.ts';
import {
  type CoreEvent,
  type Effect,
  type Fetch,
  noConnection,
} from '../../../../core/broker/state-machine/context/effects.ts';
import { QueueMachine } from '../../../../core/broker/state-machine/machine.ts';
import {
  type Delivery,
  encodeJob,
  idToText,
  type JobState,
  type LeaseToken,
  type Message,
  type MessageName,
  type NewJob,
  noUsage,
  type Settlement,
  type SettleOutcome,
} from '../../../../core/protocol/index.ts';

export const testOptions: CoreOptions = {
  ...coreDefaults,
  crc32,
  newHash: () => createHash('sha256'),
  brokerId: idOf(999),
  software: 'test',
  leaseMs: 1000,
  resumeMs: { unix: 100, tcp: 500 },
};

/** A distinct id for each number. */
export function idOf(number: number): string {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(0, number * 2654435761);
  new DataView(bytes.buffer).setUint32(12, number);
  return idToText(bytes);
}

export interface JobSpec {
  readonly id?: number;
  readonly queue?: string;
  readonly digest?: number;
  readonly delayMs?: number;
  readonly attemptsMax?: number;
  readonly body?: string;
  readonly more?: Partial<NewJob>;
}

export function checkedJob(wish: JobSpec = {}): CheckedJob {
  const bytes = encodeJob(
    {
      id: idOf(wish.id ?? 1),
      queue: wish.queue ?? 'q',
      digest: new Uint8Array(16).fill(wish.digest ?? 7),
      body: new TextEncoder().encode(wish.body ?? '{}'),
      agent: 'agent',
      agentDigest: new Uint8Array(32),
      source: 'source',
      createdAtMs: 1,
      attemptsMax: wish.attemptsMax ?? 3,
      delayMs: wish.delayMs ?? 0,
      ...wish.more,
    },
    crc32,
  );
  return { ok: true, bytes, job: factsOfJob(bytes) };
}

/** The bytes of a job that is fine, as a follow-up job is sent. */
export function bytesOf(checked: CheckedJob): Uint8Array {
  if (!checked.ok) throw new Error(`the job was refused: ${checked.message}`);
  return checked.bytes;
}

/** What waits for room on the way to a peer: when it leaves, the core goes on. */
const unasked: ReadonlySet<MessageName> = new Set(['Deliver', 'JobEvents', 'WaitOk']);

/** What compaction took off the log. */
export interface Cut {
  readonly droppedUpTo: number;
  readonly compactedUpTo: number;
}

/** A clock that tests move: the system's wall clock goes with the broker's until it is set. */
export class TestNow implements Now {
  monotonicMs: number;
  wallMs: number;
  /** By how much the system's clock was set ahead of the broker's. */
  aheadMs: number;

  constructor({ monotonicMs, wallMs, systemMs }: Now) {
    this.monotonicMs = monotonicMs;
    this.wallMs = wallMs;
    this.aheadMs = systemMs - wallMs;
  }

  get systemMs(): number {
    return this.wallMs + this.aheadMs;
  }
}

/** One broker life: its clock, its log as an array, and what it sent to each connection. */
export class Driver {
  readonly log: Uint8Array[];
  readonly machine: QueueMachine;
  readonly now: TestNow;
  sent: { connection: number; name: MessageName; correlationId: number; fields: unknown }[] = [];
  /** Records up to here are gone, and records up to `compactedUpTo` were written before they went. */
  cut: Cut;
  /** Reads of compaction that wait, when it is to be slow: what changes meanwhile is what counts. */
  slowReads: Fetch[] | null = null;
  /** Connections whose peers take nothing, and what is on its way to them. */
  readonly silent: Set<number> = new Set();
  readonly onTheirWay: Left[] = [];
  #correlationId = 0;
  readonly #left: Left[] = [];
  #depth = 0;

  constructor(
    log: Uint8Array[] = [],
    options: CoreOptions = testOptions,
    now: Now = { monotonicMs: 1000, wallMs: 1_000_000, systemMs: 1_000_000 },
    cut: Cut = { droppedUpTo: 0, compactedUpTo: 0 },
  ) {
    this.now = new TestNow(now);
    this.cut = cut;
    this.machine = new QueueMachine(options);
    this.machine.beginReplay(cut.compactedUpTo);
    for (const [index, record] of log.entries()) {
      if (index >= cut.droppedUpTo) this.machine.replay(record, index + 1);
    }
    this.log = [...log];
    this.#take(this.machine.start(this.now, log.length));
  }

  /** A new broker on the log of this one, as after a crash. */
  restarted(options: CoreOptions = testOptions): Driver {
    return new Driver(this.log, options, this.now, this.cut);
  }

  advance(ms: number): void {
    this.now.monotonicMs += ms;
    this.now.wallMs += ms;
    this.#take(this.machine.tick(this.now));
  }

  open(connection: number, session = connection, transport: 'unix' | 'tcp' = 'unix'): void {
    const hello = {
      session: idOf(10_000 + session),
      client: 'test',
      proof: new Uint8Array(0),
      features: 0,
      frameBytesMax: 4 * 1024 * 1024,
    };
    const correlationId = ++this.#correlationId;
    this.#handle({ type: 'opened', connection, transport, correlationId, hello });
  }

  close(connection: number): void {
    this.#handle({ type: 'closed', connection });
  }

  enqueue(
    connection: number,
    jobs: readonly CheckedJob[],
    atomic = false,
  ): Message<'EnqueueOk'>['items'] {
    const correlationId = ++this.#correlationId;
    this.#handle({ type: 'enqueue', connection, correlationId, atomic, jobs });
    return (this.answer(correlationId) as Message<'EnqueueOk'>).items;
  }

  /** Sends a request and returns the fields of its answer (an Error's too). */
  request<N extends MessageName>(connection: number, name: N, fields: Message<N>): unknown {
    const correlationId = ++this.#correlationId;
    const request = { name, correlationId, fields } as never;
    this.#handle({ type: 'request', connection, request });
    return this.answer(correlationId);
  }

  subscribe(connection: number, credit: number, queues = ['q']): void {
    this.request(connection, 'Subscribe', { queues, credit });
  }

  settle(
    connection: number,
    token: LeaseToken,
    outcome: SettleOutcome = 'ack',
    more: Partial<Settlement> = {},
  ): { code: number; state: JobState } {
    const item: Settlement = {
      token,
      outcome,
      delayMs: 0,
      errorCode: outcome === 'ack' ? '' : 'test',
      errorMessage: '',
      note: '',
      usage: noUsage,
      result: null,
      output: null,
      prompts: null,
      enqueue: [],
      park: null,
      ...more,
    };
    const { items } = this.request(connection, 'Settle', { items: [item] }) as Message<'SettleOk'>;
    return items[0] ?? { code: -1, state: 'none' };
  }

  /** Deliveries that a connection got since it was last asked. */
  deliveries(connection: number): Delivery[] {
    const mine = this.sent.filter(
      (sent) => sent.connection === connection && sent.name === 'Deliver',
    );
    this.sent = this.sent.filter((sent) => !mine.includes(sent));
    return mine.flatMap((sent) => (sent.fields as Message<'Deliver'>).items);
  }

  stateOf(id: number): JobState {
    const { jobs } = this.#inspect(id);
    return jobs[0]?.info.state ?? 'none';
  }

  infoOf(id: number): Message<'InspectOk'>['jobs'][number]['info'] {
    const info = this.#inspect(id).jobs[0]?.info;
    if (info === undefined) throw new Error(`no job ${id}`);
    return info;
  }

  answer(correlationId: number): unknown {
    return this.sent.find((sent) => sent.correlationId === correlationId)?.fields;
  }

  #inspect(id: number): Message<'InspectOk'> {
    const observer = 90_000;
    this.open(observer);
    const fields = { idPrefix: idOf(id), withJob: false };
    const answer = this.request(observer, 'Inspect', fields) as Message<'InspectOk'>;
    this.close(observer);
    return answer;
  }

  /** Asks for the next portion of compaction, as the compactor does. */
  compact(upTo: number, bytesMax = 4096): void {
    this.#handle({ type: 'compact', upTo, bytesMax });
  }

  /** Lets the reads that waited end. */
  endSlowReads(): void {
    const reads = this.slowReads ?? [];
    this.slowReads = null;
    for (const fetch of reads) this.#fetch(fetch);
  }

  /** Says the small state again and drops the records up to the offset. */
  drop(upTo: number): void {
    for (let isFirst = true; isFirst || !this.machine.isSmallStateRewritten; isFirst = false) {
      this.#handle({ type: 'rewriteSmallState', isFirst });
    }
    this.cut = { droppedUpTo: upTo, compactedUpTo: this.log.length };
  }

  /** Tells the core several things at once, as what one read brought. */
  tellAll(events: readonly CoreEvent[]): void {
    this.#take(this.machine.handle(events, this.now));
  }

  /** Tells the core anything else. */
  tell(event: CoreEvent): void {
    this.#handle(event);
  }

  #handle(event: CoreEvent): void {
    const effects = this.machine.handle([event], this.now);
    const { slowReads } = this;
    if (event.type !== 'compact' || slowReads === null) {
      this.#take(effects);
      return;
    }
    slowReads.push(...effects.flatMap((effect) => (effect.type === 'fetch' ? [effect.fetch] : [])));
    this.#take(effects.filter(({ type }) => type !== 'fetch'));
  }

  #read(offset: number): Uint8Array | null {
    return offset > this.cut.droppedUpTo ? (this.log[offset - 1] ?? null) : null;
  }

  /** Resolves a fetch from the log in memory; what it sends must be for that connection. */
  #fetch({ offsets, use }: Fetch, connection = noConnection): void {
    for (const fetched of use(offsets.map((offset) => this.#read(offset)))) {
      if (fetched.type === 'send') {
        if (fetched.outgoing.connection !== connection) throw new Error('sent to another line');
        this.#send(fetched.outgoing);
      } else if (fetched.type === 'stats') {
        const { stats } = fetched;
        this.sent.push({ ...stats, name: 'StatsOk', fields: { queues: stats.queues } });
      } else if (fetched.type === 'fetch') this.#fetch(fetched.fetch, connection);
      else this.#handle(fetched.event);
    }
  }

  #take(effects: readonly Effect[]): void {
    this.#depth += 1;
    // First: what a read brings is told to the core behind all that it had decided by then.
    for (const effect of effects) {
      if (effect.type === 'append') this.log.push(effect.record.slice());
    }
    for (const effect of effects) {
      if (effect.type === 'send') this.#send(effect.outgoing);
      if (effect.type === 'fetch') this.#fetch(effect.fetch, effect.connection);
    }
    this.#depth -= 1;
    // The core hears of it when all that it decided is in the log.
    while (this.#depth === 0 && this.#left.length > 0) this.#handle(this.#left.shift() as Left);
  }

  #send(message: Outgoing): void {
    // It is for the I/O thread.
    if (message.name === 'Wait') return;
    this.sent.push(message);
    const { connection, name, fields } = message;
    if (message.bytes === undefined) this.machine.unsent.add(connection, encodedBytes(fields));
    const bytes = message.bytes ?? encodedBytes(fields);
    const deliveries = name === 'Deliver' ? 1 : 0;
    const left = { type: 'left', connection, bytes, deliveries, slowestMs: 0 } as const;
    if (this.silent.has(connection)) this.onTheirWay.push(left);
    else if (unasked.has(name)) this.#left.push(left);
    else this.machine.unsent.left(left);
  }
}
