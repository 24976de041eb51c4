/**
 * A consumer: a session that takes deliveries under credit, holds their leases over lost
 * connections and broker restarts, and settles and renews them in batches.
 */

import {
  AiqError,
  type AnyMessage,
  type Delivery,
  type ErrorCode,
  type ItemAnswer,
  type LeaseToken,
  limits,
  type Message,
  noUsage,
  type Settlement,
  shortId,
} from '../protocol/index.ts';
import { Batcher, batchLimits } from './batcher.ts';
import { codeOf, type Lease, Leases } from './leases.ts';
import { Session, type SessionOptions } from './session.ts';

export interface ConsumerOptions extends SessionOptions {
  readonly queues: readonly string[];
  /** Most leases at one time, at most 1,000; 0 takes nothing. */
  readonly credit: number;
  /** Called for each delivery; must not throw. */
  readonly onDelivery: (lease: Lease) => void;
  /** The lease ended otherwise than by a settle; called once. Its work should stop. */
  readonly onLeaseLost: (lease: Lease, code: ErrorCode) => void;
}

export type ExtendAnswer = Message<'ExtendOk'>['items'][number];

/** Bytes of a settlement apart from its texts. */
const settlementBytes = 256;
/** A job that this consumer cannot read waits this long before someone else may try. */
const unreadableDelayMs = 5_000;

export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #session: Session;
  readonly #leases: Leases;
  readonly #settles: Batcher<Settlement, ItemAnswer>;
  #credit: number;
  #isSubscribed = false;

  private constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#credit = options.credit;
    this.#leases = new Leases(options.onLeaseLost);
    this.#session = new Session(options, {
      staysConnected: true,
      restore: () => this.#restore(),
      onPush: (message) => this.#receive(message),
    });
    this.#settles = new Batcher({
      bytesOf: settlementSize,
      limits: () => batchLimits(this.#session, forEver),
      send: async (items) => (await this.#session.request('Settle', { items }, forEver)).items,
    });
  }

  /**
   * Subscribes. Afterwards the consumer lives, and reconnects, until it is closed.
   * @throws AiqError `BAD_REQUEST`, or what the first request of a session may throw
   */
  static async open(options: ConsumerOptions): Promise<Consumer> {
    checkCredit(options.credit);
    const consumer = new Consumer(options);
    try {
      await consumer.#session.request('Subscribe', consumer.#subscription(0));
    } catch (error) {
      await consumer.close();
      throw error;
    }
    consumer.#isSubscribed = true;
    // Deliveries begin in the next turn, when the caller has the consumer in hand.
    setImmediate(() => consumer.#subscribe());
    return consumer;
  }

  /** Lease time that the broker grants. */
  get leaseMs(): number {
    return this.#session.leaseMs;
  }

  /**
   * Changes how many leases are wanted at one time.
   * @throws AiqError `BAD_REQUEST` when it is over 1,000 or no whole number
   */
  setCredit(credit: number): void {
    checkCredit(credit);
    if (credit === this.#credit) return;
    this.#credit = credit;
    this.#subscribe();
  }

  /** Settles a lease, again over new connections until an answer comes. */
  async settle(lease: Lease, settlement: Omit<Settlement, 'token'>): Promise<ItemAnswer> {
    this.#leases.settling(lease);
    try {
      const [answer] = await this.#settles.add([{ token: lease.token, ...settlement }]);
      return answer as ItemAnswer;
    } finally {
      this.#leases.settled(lease);
    }
  }

  /** Writes an entry under a lease that this session holds or held, and returns what stands. */
  async journalPut(fields: Message<'JournalPut'>): Promise<Message<'JournalOk'>['value']> {
    return (await this.#session.request('JournalPut', fields)).value;
  }

  /** Renews leases in one frame and moves their `deadlineMs`; those refused are lost. */
  async extend(leases: readonly Lease[]): Promise<ExtendAnswer[]> {
    const askedAtMs = performance.now();
    const answers: ExtendAnswer[] = [];
    for (let at = 0; at < leases.length; at += limits.batchItemsMax) {
      const tokens = leases.slice(at, at + limits.batchItemsMax).map(tokenOf);
      answers.push(...(await this.#session.request('Extend', { tokens })).items);
    }
    leases.forEach((lease, index) => {
      const answer = answers[index];
      if (answer !== undefined) this.#extended(lease, answer, askedAtMs);
    });
    return answers;
  }

  /** Sends the settles that wait, hands all leases back and ends the session. */
  async close(): Promise<void> {
    this.#settles.flush();
    await this.#session.close();
  }

  #extended(lease: Lease, answer: ExtendAnswer, askedAtMs: number): void {
    const code = codeOf(answer);
    if (code !== null) this.#leases.refused(lease, code);
    else if (answer.directive === 'cancel') this.#leases.refused(lease, 'BAD_STATE');
    else this.#leases.renewed(lease, askedAtMs, this.leaseMs);
  }

  #subscription(credit: number): Message<'Subscribe'> {
    return { queues: [...this.#options.queues], credit };
  }

  #subscribe(): void {
    // Without a connection there is nothing to do: the next one subscribes with the credit of then.
    if (!this.#session.isOpen) return;
    const subscription = this.#subscription(this.#credit);
    this.#session.requestBound('Subscribe', subscription).catch((error: AiqError) => {
      if (this.#session.isOpen) this.#options.onNotice?.(`credit was refused: ${error.message}`);
    });
  }

  /**
   * Names every lease in one frame, because the broker takes back those that it holds and we do
   * not. Leases being settled come last: only they can be beyond what one frame may name.
   */
  async #restore(): Promise<void> {
    if (!this.#isSubscribed) return;
    const askedAtMs = performance.now();
    this.#leases.expire();
    const leases = this.#leases.all.slice(0, limits.batchItemsMax);
    const { items } = await this.#session.requestBound('Resume', { tokens: leases.map(tokenOf) });
    leases.forEach((lease, index) => {
      const item = items[index];
      const code = item === undefined ? 'STALE_LEASE' : codeOf(item);
      if (code !== null) this.#leases.refused(lease, code);
      else this.#leases.renewed(lease, askedAtMs, this.leaseMs);
    });
    let credit: number;
    do {
      credit = this.#credit;
      await this.#session.requestBound('Subscribe', this.#subscription(credit));
    } while (credit !== this.#credit);
  }

  #receive(message: AnyMessage): void {
    if (message.name === 'Deliver') {
      for (const delivery of message.fields.items) this.#take(delivery);
    }
    if (message.name !== 'Directives') return;
    for (const { token, directive } of message.fields.items) {
      if (directive === 'cancel') this.#leases.cancelled(token);
    }
  }

  #take(delivery: Delivery): void {
    let lease: Lease | null;
    try {
      lease = this.#leases.take(delivery);
    } catch (error) {
      if (!(error instanceof AiqError)) throw error;
      this.#handBack(delivery, error);
      return;
    }
    if (lease !== null) this.#options.onDelivery(lease);
  }

  #handBack({ token }: Delivery, error: AiqError): void {
    this.#options.onNotice?.(`job ${shortId(token.id)} was handed back: ${error.message}`);
    const settlement: Settlement = {
      token,
      outcome: 'returned',
      delayMs: unreadableDelayMs,
      errorCode: error.code.toLowerCase(),
      errorMessage: error.message.slice(0, limits.errorMessageBytesMax),
      note: '',
      usage: noUsage,
      result: null,
      enqueue: [],
      park: null,
    };
    this.#settles.add([settlement]).catch(() => undefined);
  }
}

const forEver = { deadlineMs: Number.POSITIVE_INFINITY };

function tokenOf({ token }: Lease): LeaseToken {
  return token;
}

function settlementSize({ errorCode, errorMessage, note, result, enqueue }: Settlement): number {
  const textBytes = 3 * (errorCode.length + errorMessage.length + note.length);
  const followUps = enqueue.reduce((sum, job) => sum + job.length + 4, 0);
  return settlementBytes + textBytes + (result?.inline?.length ?? 0) + followUps;
}

function checkCredit(credit: number): void {
  if (Number.isSafeInteger(credit) && credit >= 0 && credit <= limits.batchItemsMax) return;
  const message = `credit must be a whole number from 0 to ${limits.batchItemsMax}, not ${credit}`;
  throw new AiqError('BAD_REQUEST', message);
}
