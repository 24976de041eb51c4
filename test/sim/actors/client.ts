/** A client of the simulated broker: one session, one connection at a time, requests with answers. */

import { crc32 } from 'node:zlib';
import { checkJob } from '../../../core/broker/check-job.ts';
import type { NetEvent, Outgoing } from '../../../core/broker/events.ts';
import { receiveRequest } from '../../../core/broker/net/requests.ts';
import {
  type AnyMessage,
  limits,
  type Message,
  type MessageName,
  type RequestName,
} from '../../../core/protocol/index.ts';
import { frameOf, type Peer, throughBytes, type Wire } from '../simulated/sim-net.ts';
import type { Stage } from '../stage.ts';

/** What came back: the answer, or null when the connection ended before it. */
export type Answer = Pick<Outgoing, 'name' | 'fields'> | null;

export abstract class Client implements Peer {
  protected readonly stage: Stage;
  session: string;
  wire: Wire | null = null;
  protected isGreeted = false;
  /** Of the broker that was greeted last. */
  protected epoch = 0;
  #correlationId = 0;
  #helloId = 0;
  readonly #waiting = new Map<number, (answer: Answer) => void>();

  constructor(stage: Stage) {
    this.stage = stage;
    this.session = stage.newId();
  }

  /** Requests whose answers have not come. */
  get openRequests(): number {
    return this.#waiting.size;
  }

  /** True when requests can be sent. */
  protected get isReady(): boolean {
    return this.wire?.clientSide === 'open' && this.isGreeted;
  }

  /** Whether its lines may be as slow as others. */
  protected get mayBeSlow(): boolean {
    return true;
  }

  /** Opens a connection and says Hello; the answer is `onGreeted`. */
  protected connect(): void {
    if (!this.stage.isServing) return;
    const { net, dice } = this.stage;
    this.isGreeted = false;
    const wire = net.open(this, this.mayBeSlow);
    this.wire = wire;
    // Nobody waits for the Hello of a connection that this one takes over.
    this.#waiting.delete(this.#helloId);
    const correlationId = ++this.#correlationId;
    this.#helloId = correlationId;
    this.#waiting.set(correlationId, (answer) => {
      if (answer?.name !== 'HelloOk' || this.wire !== wire) return;
      this.isGreeted = true;
      this.epoch = (answer.fields as Message<'HelloOk'>).epoch;
      this.onGreeted();
    });
    wire.toBroker.push({
      type: 'opened',
      connection: wire.id,
      transport: dice.chance(0.5) ? 'unix' : 'tcp',
      correlationId,
      hello: {
        session: this.session,
        client: 'sim',
        proof: new Uint8Array(0),
        features: 0,
        frameBytesMax: limits.frameBytesMax,
      },
    });
  }

  protected disconnect(): void {
    if (this.wire !== null) this.stage.net.closeByClient(this.wire);
    this.onClosed();
  }

  protected request<N extends Exclude<RequestName, 'Hello' | 'Enqueue'>>(
    name: N,
    fields: Message<N>,
    onAnswer: (answer: Answer) => void = () => undefined,
  ): void {
    const { wire } = this;
    if (wire === null) return;
    const correlationId = ++this.#correlationId;
    this.#waiting.set(correlationId, onAnswer);
    wire.toBroker.push(
      this.stage.swarm.frames
        ? eventThroughBytes(wire.id, { name, correlationId, fields } as unknown as AnyMessage)
        : {
            type: 'request',
            connection: wire.id,
            request: { name, correlationId, fields } as unknown as Extract<
              NetEvent,
              { type: 'request' }
            >['request'],
          },
    );
  }

  protected enqueue(
    jobs: readonly Uint8Array[],
    atomic: boolean,
    onAnswer: (answer: Answer) => void,
  ): void {
    const { wire } = this;
    if (wire === null) return;
    const correlationId = ++this.#correlationId;
    this.#waiting.set(correlationId, onAnswer);
    const fields = { atomic, jobs: [...jobs] };
    wire.toBroker.push(
      this.stage.swarm.frames
        ? eventThroughBytes(wire.id, { name: 'Enqueue', correlationId, fields })
        : {
            type: 'enqueue',
            connection: wire.id,
            correlationId,
            atomic,
            jobs: jobs.map((bytes) => checkJob(bytes, crc32)),
          },
    );
  }

  onMessage(message: Outgoing): void {
    const told = this.stage.swarm.frames ? throughBytes(message) : message;
    const waiting = this.#waiting.get(told.correlationId);
    if (waiting === undefined) this.onUnasked(told.name, told.fields);
    this.#waiting.delete(told.correlationId);
    waiting?.(told);
  }

  onClosed(): void {
    this.wire = null;
    this.isGreeted = false;
    const lost = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const onAnswer of lost) onAnswer(null);
    this.onLost();
  }

  protected abstract onGreeted(): void;
  protected onLost(): void {
    return;
  }
  protected onUnasked(_name: MessageName, _fields: Outgoing['fields']): void {
    return;
  }
}

/** A request as an I/O thread hands it over, checks and all. */
function eventThroughBytes(connection: number, message: AnyMessage): NetEvent {
  const received = receiveRequest(connection, frameOf(message));
  if (received.type === 'event') return received.event;
  throw received.error;
}
