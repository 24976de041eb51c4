/** A client that reserves units of budgets and rates, and settles what it used, or vanishes. */

import { errorCodes, type Message, type ScopeUnits } from '../../core/protocol/index.ts';
import { Client } from './client.ts';
import type { Actor } from './stage.ts';

const openMax = 4;

export class Spender extends Client implements Actor {
  /** Reservations that were answered with Ok. */
  readonly #open = new Map<string, ScopeUnits[]>();

  act(): void {
    const { isCalm } = this.stage;
    if (this.wire === null) {
      this.connect();
      return;
    }
    if (!this.isReady || this.openRequests >= openMax || isCalm) return;
    this.#spend();
  }

  #spend(): void {
    const { dice, catalog } = this.stage;
    switch (dice.weighted({ limit: 2, reserve: 6, end: 5, list: 1, vanish: 0.3, leave: 0.2 })) {
      case 'limit':
        this.#setLimit();
        break;
      case 'reserve':
        this.#reserve();
        break;
      case 'end':
        this.#end();
        break;
      case 'list':
        this.request('Scopes', {
          prefix: dice.chance(0.5) ? '' : (catalog.scopes[0]?.slice(0, 4) ?? ''),
        });
        break;
      case 'vanish':
        this.disconnect();
        this.#forget();
        break;
      case 'leave':
        this.request('Goodbye', {});
        this.#forget();
        break;
      case null:
        break;
    }
  }

  protected override onGreeted(): void {
    return;
  }

  #setLimit(): void {
    const { dice, catalog } = this.stage;
    const scope = dice.pick(catalog.scopes);
    const windowMs = scope.startsWith('rate') ? dice.between(50, 2_000) : 0;
    this.request('SetScope', { scope, limitUnits: dice.between(1, 100), windowMs });
  }

  #reserve(): void {
    const { dice, catalog, reach } = this.stage;
    const names = catalog.scopes.filter(() => dice.chance(0.5));
    if (names.length === 0) return;
    const scopes = names.map((scope) => ({ scope, units: dice.between(0, 30) }));
    const reservation = this.stage.newId();
    this.request('Reserve', { reservation, scopes }, (answer) => {
      if (answer?.name === 'Ok') {
        this.#open.set(reservation, scopes);
        reach.reach('units reserved');
      }
      if (answer?.name !== 'Error') return;
      const { code } = answer.fields as Message<'Error'>;
      if (code === errorCodes.NO_UNITS.number) reach.reach('units refused');
    });
  }

  #end(): void {
    const { dice, reach } = this.stage;
    const [open] = this.#open;
    if (open === undefined) return;
    const [reservation, scopes] = open;
    this.#open.delete(reservation);
    if (dice.chance(0.3)) {
      this.request('Release', { reservation }, (answer) => {
        if (answer?.name === 'Ok') reach.reach('units released');
      });
      return;
    }
    const used = scopes.map(({ scope, units }) => ({ scope, units: dice.below(2 * units + 1) }));
    this.request('Commit', { reservation, scopes: used }, (answer) => {
      if (answer?.name === 'Ok') reach.reach('units committed');
    });
  }

  #forget(): void {
    this.session = this.stage.newId();
    this.#open.clear();
  }
}
