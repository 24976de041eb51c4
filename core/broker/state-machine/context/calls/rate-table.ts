/**
 * The rates of calls under way, for all consumers of this broker: the gates of agents, providers and models,
 * and what each call took of them. Only in memory: after a restart it is learned again. What passes is
 * decided by `core/gate/`.
 */

import {
  type Allowance,
  type Amounts,
  type CallWord,
  estimateOf,
  type GateTerms,
  newRateGate,
  opensAtMs,
  type RateGate,
  stepRates,
} from '../../../../gate/index.ts';
import type { Charge, Message } from '../../../../protocol/index.ts';

/** A call and the rates that it asks for. */
export type RatedCall = Message<'Reserve'> & { readonly rates: object };

interface GateOfCall {
  readonly name: string;
  readonly terms: GateTerms;
}

interface RateHold {
  /** Of the job. */
  readonly id: string;
  readonly gates: readonly GateOfCall[];
  readonly took: Amounts;
}

/** Why a call does not pass now. */
export interface Shut {
  /** Infinite when only the end of a call opens it. */
  readonly opensAtMs: number;
  /** Names of gates that calls behind it do not pass before it. */
  readonly names: readonly string[];
}

/** Agents, providers and models that are known at one time, some kilobytes each. */
const gatesMax = 3_000;
/** A gate without calls is full again after a minute; later on even what it learned may be old. */
const idleMs = 3_600_000;

export class RateTable {
  readonly #gates = new Map<string, RateGate>();
  readonly #holds = new Map<number, RateHold>();
  readonly #holdsOf = new Map<string, Set<number>>();
  /** Grows with all that may open a gate. */
  changes = 0;
  /** When time alone opens a gate that a call waits for; null while none does. */
  wakeAtMs: number | null = null;

  /** The job of the call that took its place under this number. */
  jobOf(hold: number): string | undefined {
    return this.#holds.get(hold)?.id;
  }

  /** Names of the gates that the call has to pass. */
  namesOf(call: RatedCall): string[] {
    return gatesOf(call).map(({ name }) => name);
  }

  /** Whether the gates of the call are known, or there is room for them. */
  hasRoom(call: RatedCall, nowMs: number): boolean {
    const added = this.namesOf(call).filter((name) => !this.#gates.has(name)).length;
    if (added === 0 || this.#gates.size + added <= gatesMax) return true;
    for (const [name, { inFlight, atMs }] of this.#gates) {
      if (inFlight === 0 && nowMs - atMs >= idleMs) this.#gates.delete(name);
    }
    return this.#gates.size + added <= gatesMax;
  }

  /** Null when the call may pass now. */
  shutFor(call: RatedCall, nowMs: number): Shut | null {
    const took = this.#amountsOf(call, nowMs);
    const shut = gatesOf(call)
      .map(({ name, terms }) => ({
        name,
        atMs: opensAtMs(this.#gate(name, nowMs), terms, took, nowMs),
      }))
      .filter(({ atMs }) => atMs > nowMs);
    if (shut.length === 0) return null;
    // Calls of one agent stay in order, so that of two gates none is passed while the other is waited for.
    const names = [...new Set([agentGate(call), ...shut.map(({ name }) => name)])];
    return { opensAtMs: Math.max(...shut.map(({ atMs }) => atMs)), names };
  }

  grant(call: RatedCall, nowMs: number): void {
    const took = this.#amountsOf(call, nowMs);
    const gates = gatesOf(call);
    const { id } = call.token;
    for (const { name, terms } of gates) {
      const gate = stepRates(this.#gate(name, nowMs), terms, { type: 'granted', took }, nowMs);
      this.#gates.set(name, gate);
    }
    this.#holds.set(call.hold, { id, gates, took });
    this.#holdsOf.set(id, (this.#holdsOf.get(id) ?? new Set()).add(call.hold));
  }

  /** A call ended; one that took nothing, or ended before, changes nothing. */
  end({ id, hold, allowances, ...said }: Charge, nowMs: number): void {
    if (this.#holds.get(hold)?.id === id)
      this.#end(hold, { word: wordOf(said), allowances }, nowMs);
  }

  /** The job's lease is over, and no one will say how its calls end. */
  lose(id: string, nowMs: number): void {
    const word = { end: 'failed', used: null } as const;
    for (const hold of this.#holdsOf.get(id) ?? []) {
      this.#end(hold, { word, allowances: [] }, nowMs);
    }
  }

  #end(
    hold: number,
    how: { readonly word: CallWord; readonly allowances: readonly Allowance[] },
    nowMs: number,
  ): void {
    const known = this.#holds.get(hold);
    if (known === undefined) return;
    const { id, gates, took } = known;
    for (const { name, terms } of gates) {
      const event = { type: 'ended', took, ...how } as const;
      this.#gates.set(name, stepRates(this.#gate(name, nowMs), terms, event, nowMs));
    }
    this.#holds.delete(hold);
    const others = this.#holdsOf.get(id);
    others?.delete(hold);
    if (others?.size === 0) this.#holdsOf.delete(id);
    this.changes += 1;
  }

  #amountsOf(call: RatedCall, nowMs: number): Amounts {
    return estimateOf(this.#gate(agentGate(call), nowMs), call.rates);
  }

  #gate(name: string, nowMs: number): RateGate {
    return this.#gates.get(name) ?? newRateGate(nowMs);
  }
}

function agentGate({ agent }: RatedCall): string {
  return `agent ${agent}`;
}

function gatesOf(call: RatedCall): GateOfCall[] {
  const { model, rates } = call;
  const { provider, agentLimits, providerLimits, isLocal } = rates;
  const { concurrency } = providerLimits;
  const none = { requestsPerMinute: null, tokensPerMinute: null };
  return [
    { name: agentGate(call), terms: { ...agentLimits, ceiling: 'none' } },
    { name: `provider ${provider}`, terms: { ...providerLimits, ceiling: 'none' } },
    {
      name: `model ${provider} ${model}`,
      terms: { ...none, concurrency, ceiling: isLocal ? 'local' : 'learned' },
    },
  ];
}

function wordOf({
  end,
  usage,
  throttledMs,
}: Pick<Charge, 'end' | 'usage' | 'throttledMs'>): CallWord {
  if (throttledMs !== null) return { end: 'throttled', retryAfterMs: throttledMs };
  if (end === 'unsent') return { end: 'unsent' };
  const { inputTokens, outputTokens } = usage;
  const isSaid = inputTokens + outputTokens > 0;
  const used = isSaid ? { inputTokens, outputTokens } : null;
  return { end: isSaid ? 'answered' : 'failed', used };
}
