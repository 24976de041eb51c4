/** Money and rates of a consumer: it reserves, makes calls that a provider bills by itself, and says what they cost. */

import type { Charge, LeaseToken, Message } from '../../../core/protocol/index.ts';
import type { Stage } from '../stage.ts';
import type { Answer } from './client.ts';

type Ask = <N extends 'Reserve' | 'Charge'>(
  name: N,
  fields: Message<N>,
  onAnswer?: (answer: Answer) => void,
) => void;

const boundMax = 60;
const pendingMax = 6;

export class Buyer {
  readonly #stage: Stage;
  readonly #ask: Ask;
  /** Of calls that ended, until the broker was told. */
  #pending: Charge[] = [];

  constructor(stage: Stage, ask: Ask) {
    this.#stage = stage;
    this.#ask = ask;
  }

  /** Asks for money, and makes the call as soon as it is granted; `onParked` gets what it waits for. */
  buy(token: LeaseToken, onParked: (budget: string) => void): void {
    const { dice, bills, reach } = this.#stage;
    const hold = 1 + dice.below(2 ** 31);
    const boundMicros = dice.between(1, boundMax);
    const agent = dice.pick(['one', 'two']);
    const rates = dice.chance(0.5) ? this.#rates() : null;
    const holds = rates === null || dice.chance(0.5);
    const call = { agent, model: 'm', tags: [], boundMicros: holds ? boundMicros : null, rates };
    this.#ask('Reserve', { token, hold, ...call }, (answer) => {
      if (answer?.name !== 'ReserveOk') return;
      const { reason, budget } = answer.fields as Message<'ReserveOk'>;
      if (reason !== 'none') {
        reach.reach('call refused for money');
        onParked(budget);
        return;
      }
      reach.reach(rates === null ? 'call granted' : 'call granted under rates');
      const failed = dice.chance(0.1);
      const costMicros = failed ? 0 : dice.below(boundMicros + 1);
      if (!failed && holds) bills.set(hold, costMicros);
      const usage = { calls: 1, inputTokens: 1, outputTokens: 1, costMicros, estimated: false };
      const end = failed ? 'unsent' : dice.chance(0.1) ? 'unknown' : 'settled';
      const throttledMs = failed && dice.chance(0.5) ? dice.below(5_000) : null;
      const said = { throttledMs, allowances: dice.chance(0.2) ? [this.#allowance()] : [] };
      this.#pending.push({ id: token.id, hold, end, agent, model: 'm', usage, ...said });
      if (this.#pending.length > pendingMax) this.#pending.shift();
    });
  }

  /** Some that soon have no room, and some that always have. */
  #rates(): NonNullable<Message<'Reserve'>['rates']> {
    const { dice } = this.#stage;
    const limits = () => ({
      requestsPerMinute: dice.chance(0.3) ? dice.between(30, 6_000) : null,
      tokensPerMinute: dice.chance(0.3) ? dice.between(300, 60_000) : null,
      concurrency: dice.chance(0.3) ? dice.between(1, 30) : null,
    });
    return {
      provider: dice.pick(['here', 'there']),
      isLocal: dice.chance(0.2),
      agentLimits: limits(),
      providerLimits: limits(),
      inputTokens: dice.below(50),
      outputTokens: dice.below(20),
    };
  }

  #allowance(): Charge['allowances'][number] {
    const { dice } = this.#stage;
    const kind = dice.pick(['requests', 'tokens', 'input', 'output'] as const);
    const limit = dice.between(1, 1_000);
    return { kind, limit, left: dice.below(limit + 1), fullInMs: dice.below(10_000) };
  }

  /** A charge for the journal entry of an answer; null when nothing is to be told. */
  take(): Charge | null {
    return this.#pending.shift() ?? null;
  }

  /** Tells what calls cost, perhaps long after their leases; some of it twice. */
  tell(): void {
    const { dice, reach } = this.#stage;
    const charges = this.#pending;
    if (charges.length === 0) return;
    this.#pending = dice.chance(0.2) ? [...charges] : [];
    this.#ask('Charge', { charges }, (answer) => {
      // What was not answered is told again.
      if (answer === null) this.#pending = [...charges, ...this.#pending].slice(0, pendingMax);
      else if (answer.name === 'Ok') reach.reach('calls charged');
    });
  }

  /** The process died: what it had not told stays unknown. */
  forget(): void {
    this.#pending = [];
  }
}
