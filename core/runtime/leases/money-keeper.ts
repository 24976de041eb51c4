/**
 * The money of the calls that this process makes: what they hold, and what became of each. A charge is
 * delivered with patience, over lost connections and after its lease ended; what a thread took with it
 * counts as unknown.
 */

import { messageOf } from '../../base/index.ts';
import type { Charge, Consumer, LeasedJob } from '../../job-queue/index.ts';
import {
  type Admission,
  type CallCharge,
  type CallToReserve,
  lostCharge,
  type Money,
  unsentCharge,
} from '../attempt/money.ts';
import type { RuntimeLog } from '../options.ts';
import { askPatiently, isPassing, isUnsupported, type Patience } from './patience.ts';

export interface MoneyKeeperOptions {
  readonly log: Pick<RuntimeLog, 'warn'>;
  /** From 0 to 1. */
  readonly random: () => number;
}

type Counting = Pick<Consumer, 'reserve' | 'charge'>;

/** A job as its calls are reserved and charged. */
export type MoneyJob = Pick<LeasedJob, 'token'> & {
  readonly job: Pick<LeasedJob['job'], 'agent' | 'tags'>;
};

export class MoneyKeeper {
  readonly #options: MoneyKeeperOptions;
  readonly #closing = new AbortController();
  readonly #delivering = new Set<Promise<void>>();
  #isServed = true;

  constructor(options: MoneyKeeperOptions) {
    this.#options = options;
  }

  /** For one run of the job, under this lease. */
  of(leased: MoneyJob, consumer: Counting): RunMoney {
    return new RunMoney(leased, {
      reserve: (call, isWanted) => this.#reserve(leased, consumer, call, isWanted),
      deliver: (charge) => this.#deliver(charge, consumer),
    });
  }

  /** Resolves once no charge waits to be delivered. */
  async idle(): Promise<void> {
    while (this.#delivering.size > 0) await Promise.all(this.#delivering);
  }

  /** Gives up what still waits. */
  close(): void {
    this.#closing.abort();
  }

  async #reserve(
    leased: MoneyJob,
    consumer: Counting,
    call: CallToReserve,
    isWanted: () => boolean,
  ): Promise<Reserving> {
    if (!this.#isServed) return 'not served';
    const { agent, tags } = leased.job;
    const patience = this.#patience('what a call can cost cannot be reserved: trying again');
    try {
      const ask = () => consumer.reserve(leased, { ...call, agent, tags });
      return (await askPatiently(ask, { ...patience, isWanted })) ?? 'no answer';
    } catch (error) {
      if (!isUnsupported(error)) return { ok: false, reason: 'refused', message: messageOf(error) };
      this.#isServed = false;
      return 'not served';
    }
  }

  #deliver(charge: Charge, consumer: Counting): void {
    if (!this.#isServed) return;
    const delivering = this.#charge(charge, consumer);
    this.#delivering.add(delivering);
    void delivering.finally(() => this.#delivering.delete(delivering));
  }

  async #charge(charge: Charge, consumer: Counting): Promise<void> {
    const { log } = this.#options;
    const patience = this.#patience('the charge of a call cannot be delivered: trying again');
    const { id: job, end } = charge;
    try {
      const ask = async () => {
        await consumer.charge([charge]);
        return true;
      };
      if ((await askPatiently(ask, patience)) !== null) return;
      log.warn({ job, end }, 'the charge of a call was not delivered: its cost counts as unknown');
    } catch (error) {
      if (isUnsupported(error)) this.#isServed = false;
      else log.warn({ job, end, error: String(error) }, 'the charge of a call was refused');
    }
  }

  #patience(message: string): Patience {
    const { log, random } = this.#options;
    return {
      random,
      signal: this.#closing.signal,
      isFinal: (error) => !isPassing(error),
      onDelay: (error) => log.warn({ error: String(error) }, message),
    };
  }
}

/** `not served`: a queue that knows no budgets. `no answer`: whether it is held is not known. */
type Reserving = Admission | 'not served' | 'no answer';

interface RunServices {
  readonly reserve: (call: CallToReserve, isWanted: () => boolean) => Promise<Reserving>;
  readonly deliver: (charge: Charge) => void;
}

/** The money of one run: which of its calls hold something, until each is charged once. */
export class RunMoney implements Money {
  readonly #leased: MoneyJob;
  readonly #services: RunServices;
  readonly #asked = new Map<number, CallToReserve>();
  readonly #held = new Map<number, CallToReserve>();

  constructor(leased: MoneyJob, services: RunServices) {
    this.#leased = leased;
    this.#services = services;
  }

  async reserve(call: CallToReserve): Promise<Admission> {
    const { hold } = call;
    this.#asked.set(hold, call);
    const isWanted = (): boolean => this.#asked.has(hold);
    const answer = await this.#services.reserve(call, isWanted);
    const wasWanted = this.#asked.delete(hold);
    if (answer === 'not served') return { ok: true };
    if (answer !== 'no answer' && !answer.ok) return answer;
    if (answer !== 'no answer' && wasWanted) {
      this.#held.set(hold, call);
      return answer;
    }
    this.deliver(this.#whole(unsentCharge(call)));
    return { ok: false, reason: 'refused', message: 'the consumer stops' };
  }

  async charge(charge: CallCharge): Promise<void> {
    // One that still waits is charged as unsent when its answer comes.
    this.#asked.delete(charge.hold);
    const whole = this.take(charge);
    if (whole !== null) this.deliver(whole);
  }

  /** As the queue takes it, to be delivered by the caller; null where it was charged, or never granted. */
  take(charge: CallCharge): Charge | null {
    const isDue = charge.hold === 0 || this.#held.delete(charge.hold);
    return isDue ? this.#whole(charge) : null;
  }

  deliver(charge: Charge): void {
    this.#services.deliver(charge);
  }

  /** The run is over: what it did not charge, its thread took with it. */
  end(): void {
    this.#asked.clear();
    for (const call of this.#held.values()) void this.charge(lostCharge(call));
  }

  #whole(charge: CallCharge): Charge {
    const { token, job } = this.#leased;
    return { id: token.id, agent: job.agent, ...charge };
  }
}
