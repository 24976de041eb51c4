/**
 * The money and the rates of an attempt's calls: each request holds what it can cost at most, and has its
 * place under the rates, before it is sent, and says afterwards what became of it. Calls that cost nothing, or
 * nothing known, hold no money; where no rate concerns them either, only what they used is said.
 */

import { randomBytes } from 'node:crypto';
import {
  type CallRates,
  type Charge,
  noUsage,
  type RateTerms,
  type Usage,
  unknownCostMicros,
} from '../../job-queue/index.ts';
import {
  type Allowance,
  boundMicros,
  type CallEnd,
  type CallGate,
  callEndOf,
  costMicros,
  expectedTokens,
  isFree,
  type ModelError,
  type Price,
  type Provider,
  type RequestBody,
  type TokenUsage,
} from '../../model/index.ts';
import { AttemptError, ParkedError } from './failure.ts';
import { orAborted } from './or-aborted.ts';

/** A request that is about to be sent, as the queue reserves it; whose it is the main thread knows. */
export interface CallToReserve {
  /** Drawn at random for each request, from 1 to 2^53 - 1. */
  readonly hold: number;
  readonly model: string;
  /** What it can cost at most, in millionths; `noBound` where nothing limits that, null where it holds nothing. */
  readonly boundMicros: number | null;
  /** Null where no rate concerns it. */
  readonly rates: CallRates | null;
}

/** What became of a request. */
export type CallCharge = Omit<Charge, 'id' | 'agent'>;

interface NoRoom {
  readonly ok: false;
  readonly reason: 'amount' | 'over_bound';
  readonly budget: string;
  readonly leftMicros: number;
}

export type Admission =
  | { readonly ok: true }
  | NoRoom
  /** The queue could not be asked, or the lease is over. */
  | { readonly ok: false; readonly reason: 'refused'; readonly message: string };

/** What a job's work may ask about money and rates. Neither method rejects. */
export interface Money {
  /** Resolves once the request may be sent, or cannot be any more; that may take as long as other calls do. */
  reserve(call: CallToReserve): Promise<Admission>;
  /** What became of a request that brought nothing into the journal, also of one that still waits. */
  charge(charge: CallCharge): Promise<void>;
}

/** Fits no budget, and is held as nothing where no budget concerns the call. */
export const noBound = Number.MAX_SAFE_INTEGER;

/** The model of a call, and what is known of it. */
export interface PricedModel {
  readonly rates: RateTerms | null;
  readonly model: string;
  readonly price: Price | null;
  readonly outputTokensMax: number | null;
}

/** How the requests of one call are held and charged. */
export interface CountingGate extends CallGate {
  /** The charge of the request that was answered, to be kept with its answer; null for none. */
  answered(usage: TokenUsage): CallCharge | null;
}

export class AttemptMoney {
  readonly #money: Money;
  readonly #signal: AbortSignal;
  #waitingSinceMs: number | null = null;
  #waitedMs = 0;

  constructor(money: Money, signal: AbortSignal) {
    this.#money = money;
    this.#signal = signal;
  }

  /** Whether the attempt's time went, or goes at this moment, to waiting for room. */
  isDelayed(timeoutMs: number): boolean {
    return this.#waitingSinceMs !== null || this.#waitedMs >= timeoutMs / 2;
  }

  /** For one call of the model; undefined for extracts, which no one bills. */
  gateOf({
    provider,
    ...priced
  }: PricedModel & { readonly provider: Pick<Provider, 'kind'> }): CountingGate | undefined {
    if (provider.kind === 'offline') return undefined;
    const { model, rates } = priced;
    const charge = (charged: CallCharge): void => void this.#money.charge(charged);
    const price = priced.price === null || isFree(priced.price) ? null : priced.price;
    const unheldMicros = priced.price === null ? unknownCostMicros : 0;
    if (price === null && rates === null) return new FreeGate(model, unheldMicros, charge);
    const reserve = (call: CallToReserve): Promise<Admission> => this.#reserve(call);
    return new MoneyGate({ ...priced, price, unheldMicros, reserve, charge });
  }

  /** @throws the signal's reason once it aborted; the request was not sent then */
  async #reserve(call: CallToReserve): Promise<Admission> {
    const sinceMs = performance.now();
    this.#waitingSinceMs = sinceMs;
    try {
      return await orAborted(this.#money.reserve(call), this.#signal);
    } catch (error) {
      void this.#money.charge(unsentCharge(call));
      throw error;
    } finally {
      this.#waitingSinceMs = null;
      this.#waitedMs += performance.now() - sinceMs;
    }
  }
}

interface GateOptions extends PricedModel {
  /** Null where nothing is held. */
  readonly price: Price | null;
  /** What a call costs of which nothing is held. */
  readonly unheldMicros: number;
  readonly reserve: (call: CallToReserve) => Promise<Admission>;
  readonly charge: (charge: CallCharge) => void;
}

/** Holds money and places of the requests of one call, of which one is under way at a time. */
class MoneyGate implements CountingGate {
  readonly #options: GateOptions;
  #held: CallToReserve | null = null;
  #allowances: readonly Allowance[] = [];

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** @throws ParkedError where a budget has no room for it; AttemptError where that cannot be known */
  async open(body: RequestBody): Promise<void> {
    const { model, price, outputTokensMax, rates, reserve } = this.#options;
    const call: CallToReserve = {
      hold: newHold(),
      model,
      boundMicros: price && (boundMicros(price, body, outputTokensMax) ?? noBound),
      rates: rates && { ...rates, ...expectedTokens(body) },
    };
    const admission = await reserve(call);
    if (!admission.ok) throw refusalOf(call, admission);
    this.#held = call;
    this.#allowances = [];
  }

  heard(allowances: readonly Allowance[]): void {
    this.#allowances = allowances;
  }

  failed(error: ModelError): void {
    const call = this.#held;
    this.#held = null;
    if (call === null) return;
    const charge = this.#chargeOf(call, callEndOf(error), error.usage);
    const isThrottled = error.failure === 'throttled';
    const throttledMs = isThrottled ? Math.ceil(error.retryAfterMs ?? 0) : null;
    this.#options.charge({ ...charge, throttledMs });
  }

  answered(usage: TokenUsage): CallCharge | null {
    const call = this.#held;
    this.#held = null;
    // What a server does not report is an estimate, and no cost.
    return call && this.#chargeOf(call, usage.estimated ? 'unknown' : 'settled', usage);
  }

  #chargeOf(call: CallToReserve, end: CallEnd, used: TokenUsage | null): CallCharge {
    const allowances = [...this.#allowances];
    if (end === 'unsent') return { ...unsentCharge(call), allowances };
    const { inputTokens, outputTokens } = used ?? { inputTokens: 0, outputTokens: 0 };
    const isKnown = end === 'settled' && used !== null;
    const { price, unheldMicros } = this.#options;
    const boundOrNone = call.boundMicros ?? unheldMicros;
    const cost = isKnown && price !== null ? costMicros(price, used) : boundOrNone;
    const charge = chargeOf(call, end, {
      calls: 1,
      inputTokens,
      outputTokens,
      costMicros: Math.min(cost, Number.MAX_SAFE_INTEGER),
      estimated: !isKnown,
    });
    return { ...charge, allowances };
  }
}

/** Holds nothing: each request that is known to have used something cost the same. */
class FreeGate implements CountingGate {
  readonly #model: string;
  readonly #costMicros: number;
  readonly #charge: (charge: CallCharge) => void;

  constructor(model: string, micros: number, charge: (charge: CallCharge) => void) {
    this.#model = model;
    this.#costMicros = micros;
    this.#charge = charge;
  }

  async open(): Promise<void> {}

  heard(): void {}

  failed({ usage }: ModelError): void {
    if (usage !== null) this.#charge(this.answered(usage));
  }

  answered({ inputTokens, outputTokens, estimated }: TokenUsage): CallCharge {
    const used = { calls: 1, inputTokens, outputTokens, costMicros: this.#costMicros, estimated };
    const said = { throttledMs: null, allowances: [] };
    return { hold: 0, end: 'settled', model: this.#model, usage: used, ...said };
  }
}

/** What is charged for a request of which no one will hear any more. */
export function lostCharge(call: CallToReserve): CallCharge {
  const usage = { ...noUsage, calls: 1, costMicros: call.boundMicros ?? 0, estimated: true };
  return chargeOf(call, 'unknown', usage);
}

/** What is charged for a request that was never sent. */
export function unsentCharge(call: CallToReserve): CallCharge {
  return chargeOf(call, 'unsent', noUsage);
}

function chargeOf({ hold, model }: CallToReserve, end: CallEnd, usage: Usage): CallCharge {
  return { hold, end, model, usage, throttledMs: null, allowances: [] };
}

function newHold(): number {
  return Number(randomBytes(8).readBigUInt64BE() >> 11n) || 1;
}

function refusalOf(call: CallToReserve, refused: Admission & { ok: false }): AttemptError {
  if (refused.reason === 'refused') {
    const message = `the call could not be reserved: ${refused.message}`;
    return new AttemptError('transient', 'not_reserved', message);
  }
  const { budget } = refused;
  return new ParkedError(budget, `parked: budget ${budget}${whyParked(call, refused)}`);
}

function whyParked(
  { model, boundMicros: bound }: CallToReserve,
  { reason, budget, leftMicros }: NoRoom,
): string {
  if (reason === 'over_bound') {
    return `: ${model} was billed above what a call can cost; see aiq budgets show ${budget}`;
  }
  if (bound === noBound) {
    return `: nothing limits what a call of ${model} can cost; set model.options.maxOutputTokens in agent.yaml`;
  }
  return `, needs ${amountText(bound ?? 0)}, ${amountText(leftMicros)} left`;
}

/** In units of the currency, without zeros at the end. */
function amountText(micros: number): string {
  return String(micros / 1_000_000);
}
