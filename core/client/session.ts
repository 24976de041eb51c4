/**
 * A session with a broker: one random id over as many connections as it takes. It finds the broker,
 * says Hello, lets its owner restore what the session holds, then sends what waits.
 */

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BackoffRange, backoffMs, withJitter } from '../base/index.ts';
import {
  type AiqError,
  type AnswerOf,
  type AnyMessage,
  idToText,
  limits,
  type Message,
  type RequestName,
} from '../protocol/index.ts';
import { type Connection, firstRequestId, openConnection } from './connection.ts';
import type { Endpoint } from './endpoint.ts';
import { asAiqError, closed, isPermanent, ResolveError } from './failures.ts';
import { type RequestOptions, Requests } from './requests.ts';

export interface ResolveOptions {
  /** It should reject within this time, so that its reason reaches the callers that wait. */
  readonly withinMs: number;
  /** While it calls this, again and again and with the reason in words, it may take longer. */
  readonly onWait: (text: string) => void;
  /** Aborted when the session is closed: then nothing is started any more. */
  readonly signal: AbortSignal;
}

export interface SessionOptions {
  /** Finds the broker, at every connect; may start one. */
  readonly resolve: (options: ResolveOptions) => Promise<Endpoint>;
  /** Name shown to operators. */
  readonly clientName: string;
  /** How long a request waits for a connection, and then for its answer. Default 10 s. */
  readonly requestDeadlineMs?: number | undefined;
  /** A silent broker is pinged after this time. Default 10 s. */
  readonly pingMs?: number | undefined;
  /** Most bytes of requests sent and not answered. Default 8 MiB. */
  readonly inFlightBytesMax?: number | undefined;
  /** Gets what happens to the connection, as text for a person. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** What its owner adds to a session. */
export interface SessionOwner {
  /** Stays connected even when nothing is asked, and never stops trying. */
  readonly staysConnected: boolean;
  /** Restores the session on a new connection, before anything that waits is sent. */
  restore(): Promise<void>;
  /** Takes a message that answers no request. */
  onPush(message: AnyMessage): void;
}

const requestDeadlineMsDefault = 10_000;
const pingMsDefault = 10_000;
const inFlightBytesMaxDefault = 8 * 1024 * 1024;
const closeMs = 2_000;
/** Pauses between attempts to connect. */
const reconnect: BackoffRange = { minMs: 20, maxMs: 3_000 };
/** A connection that lived shorter counts as a failure, so that a crash loop is slowed down. */
const stableMs = 1_000;
const noticeEveryMs = 30_000;
const waitReportedEveryMs = 2_000;
/** The part of a request's patience that finding the broker may take. */
const resolveShare = 0.9;

type State = 'apart' | 'connecting' | 'open' | 'closing' | 'closed';

export class Session {
  readonly id: string = idToText(randomBytes(16));
  readonly #options: SessionOptions;
  readonly #owner: SessionOwner;
  readonly #requests: Requests;
  readonly #closing = new AbortController();
  #state: State = 'apart';
  #connection: Connection | null = null;
  #hello: Message<'HelloOk'> | null = null;
  #failure: AiqError | null = null;
  #failures = 0;
  #openedAtMs = 0;
  /** When a broker that starts was last reported. */
  #waitReportedAtMs = Number.NEGATIVE_INFINITY;
  /** When a lost connection was last reported; 0 while there is nothing to report. */
  #noticedAtMs = 0;

  constructor(options: SessionOptions, owner: SessionOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#requests = new Requests(this, options.inFlightBytesMax ?? inFlightBytesMaxDefault);
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get frameBytesMax(): number {
    return (this.#hello ?? limits).frameBytesMax;
  }

  /** What the broker said of itself; null while there is no connection. */
  get openHello(): Message<'HelloOk'> | null {
    return this.isOpen ? this.#hello : null;
  }

  /** Lease time that the broker grants; 0 before the first connection. */
  get leaseMs(): number {
    return this.#hello?.leaseMs ?? 0;
  }

  /** Why there is no connection; null when there is one or none was tried yet. */
  get failure(): AiqError | null {
    return this.#failure;
  }

  /**
   * Sends a request, now or as soon as there is a connection, and again after a lost connection
   * when a repetition is safe.
   * @throws AiqError the code that the broker answered with; `UNREACHABLE`, `OUTCOME_UNKNOWN` or
   *   `TIMEOUT` when the deadline passes; `CLOSED`
   */
  request<N extends RequestName>(
    name: N,
    fields: Message<N>,
    options: Partial<RequestOptions> = {},
  ): Promise<Message<AnswerOf<N>>> {
    if (this.#state === 'closing' || this.#state === 'closed') return Promise.reject(closed());
    const deadlineMs = options.deadlineMs ?? this.#requestDeadlineMs;
    const answer = this.#requests.add(name, fields, { ...options, deadlineMs });
    if (this.#state === 'apart') void this.#connect();
    return answer;
  }

  /** For `restore`: over the present connection or not at all. */
  requestBound<N extends RequestName>(
    name: N,
    fields: Message<N>,
    deadlineMs: number = this.#requestDeadlineMs,
  ): Promise<Message<AnswerOf<N>>> {
    if (this.#connection === null) return Promise.reject(this.#failure ?? closed());
    return this.#requests.add(name, fields, { bound: true, deadlineMs });
  }

  /** Waits for a connection, as long as a request would, and returns what the broker said of itself. */
  async opened(options: Partial<RequestOptions> = {}): Promise<Message<'HelloOk'>> {
    if (!this.isOpen) await this.request('Ping', {}, options);
    if (this.#hello === null) throw closed();
    return this.#hello;
  }

  /** Ends the session: with Goodbye, behind all that was asked before, when connected. At most 2 s. */
  async close(): Promise<void> {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    const wasOpen = this.isOpen;
    this.#enter('closing');
    this.#closing.abort();
    if (wasOpen) {
      this.#requests.flush();
      await this.requestBound('Goodbye', {}, closeMs).catch(() => undefined);
    }
    this.#enter('closed');
    this.#connection?.destroy(closed());
    this.#requests.fail(closed());
  }

  send(frame: Uint8Array): void {
    this.#connection?.send(frame);
  }

  #enter(state: State): void {
    this.#state = state;
  }

  get #requestDeadlineMs(): number {
    return this.#options.requestDeadlineMs ?? requestDeadlineMsDefault;
  }

  get #isWanted(): boolean {
    if (this.#state === 'closing' || this.#state === 'closed') return false;
    return this.#owner.staysConnected || this.#requests.count > 0;
  }

  async #connect(): Promise<void> {
    this.#enter('connecting');
    while (this.#isWanted) {
      try {
        await sleep(withJitter(backoffMs(this.#failures, reconnect)), undefined, {
          signal: this.#closing.signal,
        });
        await this.#connectOnce();
        return;
      } catch (error) {
        this.#failed(error);
      }
    }
    if (this.#state === 'connecting') this.#enter('apart');
  }

  async #connectOnce(): Promise<void> {
    const connection = await openConnection({
      endpoint: await this.#resolve(),
      session: this.id,
      clientName: this.#options.clientName,
      pingMs: this.#options.pingMs ?? pingMsDefault,
      inFlightBytes: () => this.#requests.inFlightBytes,
      onMessage: (message) => this.#receive(message),
      onClosed: (reason) => this.#disconnected(reason),
    });
    if (this.#state !== 'connecting') connection.destroy(closed());
    connection.throwIfClosed();
    this.#connection = connection;
    this.#hello = connection.hello;
    await this.#restore(connection);
    connection.throwIfClosed();
    if (this.#noticedAtMs > 0) this.#options.onNotice?.(`connected to ${connection.address}`);
    this.#enter('open');
    this.#failure = null;
    this.#openedAtMs = performance.now();
    this.#noticedAtMs = 0;
    this.#requests.pump();
  }

  async #resolve(): Promise<Endpoint> {
    try {
      return await this.#options.resolve({
        withinMs: this.#requestDeadlineMs * resolveShare,
        onWait: (text) => this.#wait(text),
        signal: this.#closing.signal,
      });
    } catch (error) {
      throw new ResolveError(asAiqError(error));
    }
  }

  /** The broker is on its way: patience begins anew. */
  #wait(text: string): void {
    this.#requests.keepWaiting();
    const nowMs = performance.now();
    if (nowMs - this.#waitReportedAtMs < waitReportedEveryMs) return;
    this.#waitReportedAtMs = nowMs;
    this.#options.onNotice?.(text);
  }

  async #restore(connection: Connection): Promise<void> {
    try {
      await this.#owner.restore();
    } catch (error) {
      connection.destroy(asAiqError(error));
      throw error;
    }
  }

  #receive(message: AnyMessage): void {
    if (message.correlationId < firstRequestId) this.#owner.onPush(message);
    else this.#requests.answer(message);
  }

  #disconnected(reason: AiqError): void {
    const wasOpen = this.isOpen;
    this.#connection = null;
    // Not open from here on: what is kept must not be sent.
    if (wasOpen) this.#enter('connecting');
    this.#requests.connectionLost(reason);
    if (!wasOpen) return;
    const wasStable = performance.now() - this.#openedAtMs > stableMs;
    this.#failures = wasStable ? 0 : this.#failures + 1;
    this.#failure = reason;
    this.#notice(reason);
    void this.#connect();
  }

  #failed(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    const reason = asAiqError(error);
    this.#failures += 1;
    this.#failure = reason;
    this.#notice(reason);
    const isPatient = this.#owner.staysConnected && this.#hello !== null;
    if (isPermanent(error) && !isPatient) this.#requests.fail(reason);
  }

  #notice(reason: AiqError): void {
    const nowMs = performance.now();
    const wasReported = this.#noticedAtMs > 0 && nowMs - this.#noticedAtMs < noticeEveryMs;
    if (!this.#owner.staysConnected || wasReported) return;
    this.#noticedAtMs = nowMs;
    this.#options.onNotice?.(`${reason.message}; trying again`);
  }
}
