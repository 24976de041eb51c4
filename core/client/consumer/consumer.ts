/**
 * A consumer: a session that takes deliveries under credit, keeps their leases alive over lost
 * connections and broker restarts until they are settled or lost, and settles them in batches.
 */

import { messageOf } from '../../base/index.ts';
import {
  AiqError,
  type AnyMessage,
  type Charge,
  type Delivery,
  type ErrorCode,
  errorCodes,
  type ItemAnswer,
  type LeaseToken,
  limits,
  type Message,
  noUsage,
  type Settlement,
  shortId,
} from '../../protocol/index.ts';
import { Batcher, batchLimits } from '../batcher.ts';
import type { Client } from '../client.ts';
import { Session, type SessionOptions } from '../session.ts';
import { BodyFetcher } from './body-fetcher.ts';
import { keepLeases, type LeaseKeeper } from './lease-keeper.ts';
import { itemCodeOf, type LeasedJob, Leases } from './leases.ts';
import { settlementSize } from './settlement-size.ts';

export interface ConsumerOptions extends SessionOptions {
  readonly queues: readonly string[];
  /** Most leases at one time, at most 1,000; 0 takes nothing. */
  readonly credit: number;
  /** Carries the bodies of large jobs, beside the session. */
  readonly blobs: Pick<Client, 'request'>;
  /** Called for each delivery, once its job is whole; must not throw. */
  readonly onDelivery: (lease: LeasedJob) => void;
  /** The lease ended otherwise than by a settle; called once. Its work should stop. */
  readonly onLeaseLost: (lease: LeasedJob, code: ErrorCode) => void;
}

type ExtendAnswer = Message<'ExtendOk'>['items'][number];

/** A job that this consumer cannot read, or whose body it cannot get, waits this long before someone else may try. */
const unreadableDelayMs = 5_000;

export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #session: Session;
  readonly #leases: Leases;
  readonly #settles: Batcher<Settlement, ItemAnswer>;
  readonly #bodies: BodyFetcher;
  #keeper: LeaseKeeper | null = null;
  #credit: number;
  #isSubscribed = false;

  private constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#credit = options.credit;
    this.#leases = new Leases((lease, code) => {
      // A lease that was not handed on has no owner to notify.
      if (!this.#bodies.drop(lease)) options.onLeaseLost(lease, code);
    });
    this.#bodies = new BodyFetcher({
      client: options.blobs,
      onFetched: options.onDelivery,
      onFailed: (lease, error) => this.#handBackUnfetched(lease, error),
    });
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
    consumer.#keeper = keepLeases({
      leases: consumer.#leases,
      leaseMs: () => consumer.#session.leaseMs,
      renew: (leases) => consumer.renew(leases),
    });
    // Deliveries begin in the next turn, when the caller has the consumer in hand.
    setImmediate(() => consumer.#subscribe());
    return consumer;
  }

  /** LeasedJob time that the broker grants. */
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

  /**
   * Settles a lease, again over new connections until an answer comes. One that was not renewed in
   * time is not settled: the answer is `STALE_LEASE`.
   */
  async settle(lease: LeasedJob, settlement: Omit<Settlement, 'token'>): Promise<ItemAnswer> {
    if (!this.#leases.settling(lease)) return expired;
    try {
      const [answer] = await this.#settles.add([{ token: lease.token, ...settlement }]);
      return answer as ItemAnswer;
    } finally {
      this.#leases.settled(lease);
    }
  }

  /** Writes an entry under a lease that this session holds or held, and returns the one that is stored: the first. */
  async journalPut(fields: Message<'JournalPut'>): Promise<Message<'JournalOk'>['value']> {
    return (await this.#session.request('JournalPut', fields)).value;
  }

  /** Reserves what a call can cost; the answer may take as long as other calls do. */
  async reserve(fields: Message<'Reserve'>): Promise<Message<'ReserveOk'>> {
    return this.#session.request('Reserve', fields, { deadlineMs: Number.POSITIVE_INFINITY });
  }

  /** Says what became of calls; each charge counts once. */
  async charge(charges: readonly Charge[]): Promise<void> {
    for (let at = 0; at < charges.length; at += limits.batchItemsMax) {
      await this.#session.request('Charge', {
        charges: charges.slice(at, at + limits.batchItemsMax),
      });
    }
  }

  /**
   * Renews leases in one frame and moves their `deadlineMs`; those refused are lost. Done three times
   * in each lease time anyway.
   */
  async renew(leases: readonly LeasedJob[]): Promise<void> {
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
  }

  /** Sends the settles that wait, hands all leases back and ends the session. */
  async close(): Promise<void> {
    this.#keeper?.stop();
    this.#bodies.close();
    this.#settles.flush();
    await this.#session.close();
  }

  #extended(lease: LeasedJob, answer: ExtendAnswer, askedAtMs: number): void {
    const code = itemCodeOf(answer);
    if (code !== null) this.#leases.refused(lease, code);
    else if (answer.directive === 'cancel') this.#leases.refused(lease, 'BAD_STATE');
    else this.#leases.renewed(lease, askedAtMs, this.#session.leaseMs);
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
      const code = item === undefined ? 'STALE_LEASE' : itemCodeOf(item);
      if (code !== null) this.#leases.refused(lease, code);
      else this.#leases.renewed(lease, askedAtMs, this.#session.leaseMs);
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
    let lease: LeasedJob | null;
    try {
      lease = this.#leases.take(delivery);
    } catch (error) {
      if (!(error instanceof AiqError)) throw error;
      this.#handBack(delivery, error);
      return;
    }
    if (lease === null) return;
    if (lease.job.bodyRef === null) this.#options.onDelivery(lease);
    else this.#bodies.add(lease);
  }

  #handBack({ token }: Delivery, { code, message }: AiqError): void {
    this.#options.onNotice?.(`job ${shortId(token.id)} was handed back: ${message}`);
    const settlement = unreadable('returned', code, message);
    this.#settles.add([{ token, ...settlement }]).catch(() => undefined);
  }

  /** A body that the broker does not have will not come back; anything else may go better elsewhere. */
  #handBackUnfetched(lease: LeasedJob, error: unknown): void {
    const code = error instanceof AiqError ? error.code : 'INTERNAL';
    const message = `the job's body could not be fetched: ${messageOf(error)}`;
    const settlement = unreadable(code === 'NO_BLOB' ? 'final' : 'returned', code, message);
    this.settle(lease, settlement).catch(() => undefined);
  }
}

const forEver = { deadlineMs: Number.POSITIVE_INFINITY };

/** The answer to a settle of a lease that was not renewed in time. */
const expired: ItemAnswer = {
  code: errorCodes.STALE_LEASE.number,
  state: 'none',
  message: 'its lease ran out unrenewed',
};

/** The settlement of a job that cannot be worked on here. */
function unreadable(
  outcome: 'returned' | 'final',
  code: ErrorCode,
  message: string,
): Omit<Settlement, 'token'> {
  return {
    outcome,
    delayMs: outcome === 'final' ? 0 : unreadableDelayMs,
    errorCode: code.toLowerCase(),
    errorMessage: message.slice(0, limits.errorMessageBytesMax),
    note: '',
    usage: noUsage,
    result: null,
    output: null,
    prompts: null,
    enqueue: [],
    park: null,
  };
}

function tokenOf({ token }: LeasedJob): LeaseToken {
  return token;
}

function checkCredit(credit: number): void {
  if (Number.isSafeInteger(credit) && credit >= 0 && credit <= limits.batchItemsMax) return;
  const message = `credit must be a whole number from 0 to ${limits.batchItemsMax}, not ${credit}`;
  throw new AiqError('BAD_REQUEST', message);
}
