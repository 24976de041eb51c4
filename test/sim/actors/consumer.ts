/**
 * A consumer: takes jobs and settles them in every way there is, right and wrong. Now and then it
 * vanishes, sleeps beyond its leases, or says things twice.
 */

import type { Outgoing } from '../../../core/broker/events.ts';
import {
  errorCodes,
  type LeaseToken,
  type Message,
  type MessageName,
  noUsage,
  type Settlement,
  type SettleOutcome,
  type Value,
} from '../../../core/protocol/index.ts';
import type { Actor, Stage } from '../stage.ts';
import { Buyer } from './buyer.ts';
import { type Answer, Client } from './client.ts';

interface Held {
  readonly token: LeaseToken;
  /** When it would end without renewal, as the consumer reckons. */
  deadlineMs: number;
}

/** Leases that are over for this consumer, for mischief. */
const pastMax = 12;
const openMax = 8;
const noResult = { result: null, output: null, prompts: null, enqueue: [] };
const outputDirs = ['/out', '/other'];

export class Consumer extends Client implements Actor {
  readonly #held = new Map<string, Held>();
  readonly #past: Settlement[] = [];
  /** Settles without an answer: said again after the connection came back. */
  readonly #unanswered = new Map<string, Settlement>();
  readonly #buyer: Buyer;
  #sleepsUntilMs = 0;

  constructor(stage: Stage) {
    super(stage);
    this.wire = null;
    this.#buyer = new Buyer(stage, (name, fields, onAnswer) =>
      this.request(name, fields, onAnswer),
    );
  }

  act(): void {
    const { dice, clock, isCalm } = this.stage;
    if (this.#sleepsUntilMs > clock.monotonicMs && !isCalm) return;
    if (this.wire === null) {
      this.connect();
      return;
    }
    if (!this.isReady || this.openRequests >= openMax) return;
    if (isCalm) this.#work();
    else if (dice.chance(0.75)) this.#work();
    else this.#misbehave();
  }

  protected override onGreeted(): void {
    const { dice, isCalm } = this.stage;
    const tokens = [...this.#held.values()].map(({ token }) => token);
    for (const { token } of this.#unanswered.values()) tokens.push(token);
    const named = isCalm ? tokens : tokens.filter(() => dice.chance(0.9));
    if (tokens.length > named.length) {
      const kept = new Set(named.map(keyOf));
      for (const token of tokens) if (!kept.has(keyOf(token))) this.#held.delete(keyOf(token));
    }
    if (named.length > 0) {
      this.request('Resume', { tokens: named }, (answer) => this.#resumed(named, answer));
    }
    const again = [...this.#unanswered.values()];
    if (again.length > 0) this.#settle(again, 'settle repeated after its answer was lost');
    this.#subscribe();
  }

  protected override onUnasked(name: MessageName, fields: Outgoing['fields']): void {
    if (name === 'Deliver') {
      for (const { token, leaseMs } of (fields as Message<'Deliver'>).items) {
        const deadlineMs = this.stage.clock.monotonicMs + leaseMs;
        this.#held.set(keyOf(token), { token, deadlineMs });
      }
    }
    if (name === 'Directives') {
      for (const { token } of (fields as Message<'Directives'>).items) this.#drop(token);
    }
  }

  #subscribe(): void {
    const { dice, swarm, isCalm } = this.stage;
    const all = isCalm || dice.chance(0.5);
    const queues = all ? [...swarm.queues] : [dice.pick(swarm.queues)];
    this.request('Subscribe', { queues, credit: isCalm ? 8 : dice.between(0, 8) });
  }

  #work(): void {
    const { dice, isCalm } = this.stage;
    const held = [...this.#held.values()];
    if (held.length === 0) {
      if (isCalm && this.openRequests === 0) this.#subscribe();
      return;
    }
    if (this.stage.catalog.has('outputs') && dice.chance(0.2)) this.#project();
    if (this.stage.catalog.has('money')) this.#spend(dice.pick(held).token);
    if (dice.chance(0.25)) {
      this.#extend(held.map(({ token }) => token));
      return;
    }
    const count = dice.chance(isCalm ? 0.7 : 0.2) ? dice.between(1, held.length) : 1;
    const chosen = new Set(Array.from({ length: count }, () => dice.pick(held)));
    const items = [...chosen].map(({ token }) => this.#settlement(token));
    if (!isCalm && this.stage.catalog.has('journal') && dice.chance(0.3)) {
      this.#journal(dice.pick(held).token);
    }
    for (const { token } of items) this.#drop(token);
    this.#settle(items, null);
  }

  #spend(token: LeaseToken): void {
    const { dice, isCalm } = this.stage;
    if (dice.chance(0.3)) this.#buyer.tell();
    if (isCalm || dice.chance(0.3)) return;
    this.#buyer.buy(token, (budget) => {
      if (!this.#held.has(keyOf(token)) || dice.chance(0.2)) return;
      this.#drop(token);
      const park = `budget:${budget}`;
      const parked = { ...this.#settlement(token), ...noResult, park } as const;
      this.#settle([{ ...parked, outcome: 'returned', errorCode: 'budget' }], null);
    });
  }

  #settle(items: Settlement[], repeated: 'settle repeated after its answer was lost' | null): void {
    for (const item of items) this.#unanswered.set(keyOf(item.token), item);
    this.request('Settle', { items }, (answer) => {
      if (answer === null) return;
      if (answer.name !== 'SettleOk') return;
      const answered = (answer.fields as Message<'SettleOk'>).items;
      for (const [index, item] of items.entries()) {
        this.#unanswered.delete(keyOf(item.token));
        this.#past.push(item);
        if (this.#past.length > pastMax) this.#past.shift();
        if (answered[index]?.code !== 0) continue;
        if (repeated !== null) this.stage.reach.reach(repeated);
      }
    });
  }

  #settlement(token: LeaseToken): Settlement {
    const { dice, isCalm } = this.stage;
    const outcome: SettleOutcome = isCalm
      ? 'ack'
      : (dice.weighted({ ack: 50, retry: 15, throttled: 6, returned: 6, crashed: 6, final: 5 }) ??
        'ack');
    const plain: Settlement = {
      token,
      outcome,
      delayMs: 0,
      errorCode: '',
      errorMessage: '',
      note: dice.chance(0.2) ? '{"made":1}' : '',
      usage: dice.chance(0.3) ? { ...noUsage, calls: 1, inputTokens: 7, costMicros: 3 } : noUsage,
      result: null,
      output: null,
      prompts: null,
      enqueue: [],
      park: null,
    };
    return { ...plain, ...(outcome === 'ack' ? this.#success() : this.#failure(outcome)) };
  }

  #success(): Partial<Settlement> {
    const { dice, isCalm, catalog } = this.stage;
    const follows = !isCalm && catalog.has('followUps') && dice.chance(0.2);
    const output = catalog.has('outputs') && dice.chance(0.4) ? this.#output() : null;
    return {
      result: output === null && catalog.has('results') && dice.chance(0.4) ? this.#value() : null,
      output,
      prompts: catalog.has('outputs') && dice.chance(0.3) ? this.#value() : null,
      enqueue: follows ? [catalog.newJob().bytes, catalog.newJob().bytes] : [],
    };
  }

  #output(): Settlement['output'] {
    const { dice } = this.stage;
    const files = Array.from({ length: dice.between(1, 3) }, (_, index) => ({
      path: `notes/${index}.md`,
      content: this.#value(),
    }));
    const dir = dice.pick(outputDirs);
    return { dir, overwrite: 'number', replaces: null, files, provenance: '{}' };
  }

  /** What is still to be written into a folder: asks for it, then says that some of it is. */
  #project(): void {
    const { dice, reach } = this.stage;
    const dir = dice.pick(outputDirs);
    this.request('Unwritten', { dir, after: 0, limit: dice.pick([3, 1000]) }, (answer) => {
      if (answer?.name !== 'UnwrittenOk') return;
      const page = answer.fields as Message<'UnwrittenOk'>;
      if (page.next > 0) reach.reach('unwritten files listed in pages');
      const chosen = page.jobs.filter(() => dice.chance(0.8));
      const jobs = chosen.map(({ id }) => {
        const written = dice.chance(0.7);
        return { id, written, note: !written || dice.chance(0.3) ? '{"written":1}' : '' };
      });
      const [first] = jobs;
      if (first === undefined) return;
      this.request('Output', { id: first.id });
      this.request('Written', { jobs: dice.chance(0.1) ? [...jobs, first] : jobs });
    });
  }

  #failure(outcome: SettleOutcome): Partial<Settlement> {
    const { dice, catalog } = this.stage;
    const later = outcome !== 'final';
    const parks = later && catalog.has('parking') && dice.chance(0.2);
    return {
      errorCode: `code-${dice.below(3)}`,
      errorMessage: 'it did not work',
      delayMs: later && dice.chance(0.4) ? dice.between(1, 600) : 0,
      park: parks ? dice.pick(catalog.parkKeys) : null,
    };
  }

  #value(): Value {
    const { dice, catalog } = this.stage;
    if (catalog.has('blobs') && catalog.blobs.length > 0 && dice.chance(0.3)) {
      return { inline: null, blob: dice.pick(catalog.blobs).ref };
    }
    return { inline: new TextEncoder().encode(`value ${dice.below(1_000)}`), blob: null };
  }

  #extend(tokens: LeaseToken[]): void {
    this.request('Extend', { tokens }, (answer) => {
      if (answer?.name !== 'ExtendOk') return;
      const { items } = answer.fields as Message<'ExtendOk'>;
      for (const [index, { code, directive }] of items.entries()) {
        const token = tokens[index];
        if (token === undefined) continue;
        if (code === 0 && directive === 'none') this.stage.reach.reach('lease renewed');
        else this.#drop(token);
        if (directive === 'cancel') {
          this.stage.reach.reach('renewal told that the job was cancelled');
        }
      }
    });
  }

  #journal(token: LeaseToken): void {
    const { dice, reach } = this.stage;
    const callHash = new Uint8Array(32).fill(dice.below(3));
    if (dice.chance(0.3)) {
      this.request('JournalGet', { id: token.id, callHash });
      return;
    }
    const value = this.#value();
    const charge = this.#buyer.take();
    this.request('JournalPut', { token, callHash, value, charge }, (answer) => {
      if (answer?.name !== 'JournalOk') return;
      if (!this.#held.has(keyOf(token))) reach.reach('journal put by a former holder');
      const stands = (answer.fields as Message<'JournalOk'>).value;
      const isOurs = JSON.stringify(stands) === JSON.stringify(value);
      reach.reach(isOurs ? 'journal entry written' : 'journal put found what stands');
    });
  }

  #misbehave(): void {
    const { dice, clock, swarm } = this.stage;
    switch (
      dice.weighted({
        again: 6,
        wrong: 2,
        vanish: 1,
        leave: 1,
        sleep: 1,
        subscribe: 3,
        take: 1,
        drop: 1,
      })
    ) {
      case 'again':
        this.#settleAgain();
        break;
      case 'wrong':
        this.#settleWrong();
        break;
      case 'vanish':
        this.#vanish();
        break;
      case 'leave':
        this.request('Goodbye', {});
        this.#forget();
        break;
      case 'sleep':
        this.#sleepsUntilMs = clock.monotonicMs + dice.between(1, 2 * swarm.leaseMs);
        break;
      case 'subscribe':
        this.#subscribe();
        break;
      case 'take':
        // A second connection of the same session: the first one gets SESSION_IN_USE.
        this.connect();
        this.stage.reach.reach('session taken over by a second connection');
        break;
      case 'drop':
        this.disconnect();
        break;
      case null:
        break;
    }
  }

  /** Says an old settle once more, the same or another, perhaps long after its lease. */
  #settleAgain(): void {
    const { dice, reach, catalog } = this.stage;
    if (this.#past.length === 0) return;
    const past = dice.pick(this.#past);
    if (catalog.has('journal') && dice.chance(0.2)) {
      this.#journal(past.token);
      return;
    }
    const other = dice.chance(0.4);
    const item = other ? { ...this.#settlement(past.token), enqueue: [] } : past;
    this.request('Settle', { items: [item] }, (answer) => {
      const [told] =
        answer?.name === 'SettleOk' ? (answer.fields as Message<'SettleOk'>).items : [];
      if (told === undefined) return;
      if (told.code === 0 && !other) reach.reach('ack repeated with its token');
      if (told.code !== 0 && other) reach.reach('settle repeated with another outcome');
      if (told.code === errorCodes.BAD_STATE.number) reach.reach('settle of a cancelled job');
    });
  }

  #settleWrong(): void {
    const { dice, reach, catalog } = this.stage;
    const [held] = this.#held.values();
    const token = held?.token ?? { id: catalog.someId(), epoch: 1, delivery: 1 };
    const wrong = dice.chance(0.5)
      ? { ...token, delivery: token.delivery + 1 }
      : { ...token, epoch: token.epoch + dice.pick([-1, 1]) };
    if (wrong.epoch < 0) return;
    this.request('Settle', { items: [{ ...this.#settlement(wrong), enqueue: [] }] }, (answer) => {
      if (answer?.name === 'SettleOk') reach.reach('settle with a token that never was');
    });
  }

  /** The process dies: another one starts, which knows nothing. */
  #vanish(): void {
    this.disconnect();
    this.#forget();
  }

  #forget(): void {
    this.session = this.stage.newId();
    for (const { token } of this.#held.values()) this.#remember(token);
    this.#held.clear();
    this.#unanswered.clear();
  }

  #remember(token: LeaseToken): void {
    this.#past.push({ ...this.#settlement(token), outcome: 'ack', enqueue: [] });
    if (this.#past.length > pastMax) this.#past.shift();
  }

  #drop(token: LeaseToken): void {
    this.#held.delete(keyOf(token));
  }

  #resumed(tokens: readonly LeaseToken[], answer: Answer): void {
    if (answer?.name !== 'ResumeOk') return;
    const { reach } = this.stage;
    const { items } = answer.fields as Message<'ResumeOk'>;
    for (const [index, token] of tokens.entries()) {
      if (items[index]?.code !== 0) this.#drop(token);
      else if (token.epoch === this.epoch) reach.reach('lease resumed after a lost connection');
      else reach.reach('lease resumed after a restart of the broker');
    }
  }
}

function keyOf({ id, epoch, delivery }: LeaseToken): string {
  return `${id} ${epoch} ${delivery}`;
}
