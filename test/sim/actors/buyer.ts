/** The money of a consumer: it reserves, makes calls that a provider bills by itself, and says what they cost. */

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
    const call = { agent: dice.pick(['one', 'two']), model: 'm', tags: [], boundMicros };
    this.#ask('Reserve', { token, hold, ...call }, (answer) => {
      if (answer?.name !== 'ReserveOk') return;
      const { reason, budget } = answer.fields as Message<'ReserveOk'>;
      if (reason !== 'none') {
        reach.reach('call refused for money');
        onParked(budget);
        return;
      }
      reach.reach('call granted');
      const failed = dice.chance(0.1);
      const costMicros = failed ? 0 : dice.below(boundMicros + 1);
      if (!failed) bills.set(hold, costMicros);
      const usage = { calls: 1, inputTokens: 1, outputTokens: 1, costMicros, estimated: false };
      const end = failed ? 'unsent' : dice.chance(0.1) ? 'unknown' : 'settled';
      this.#pending.push({ id: token.id, hold, end, agent: call.agent, model: 'm', usage });
      if (this.#pending.length > pendingMax) this.#pending.shift();
    });
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
