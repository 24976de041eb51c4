/** Drives scopes and reservations with small numbers instead of ids. */

import {
  commitUnits,
  endSessionScopes,
  listScopes,
  release,
  reserve,
  setScope,
} from '../../../core/broker/queue/scope-requests.ts';
import { type ScopeRecord, ScopeStore } from '../../../core/broker/queue/scopes.ts';
import type { Message, ScopeUnits } from '../../../core/protocol/index.ts';
import { idToText } from '../../../core/protocol/index.ts';
import { type Answered, type Apply, FakeCore } from './fake-core.ts';

export type Units = Readonly<Record<string, number>>;

export function unitsOf(units: Units): ScopeUnits[] {
  return Object.entries(units).map(([scope, count]) => ({ scope, units: count }));
}

/** A distinct id for each number. */
export function idOf(number: number): string {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(0, number);
  return idToText(bytes);
}

export class ScopesDriver {
  nowMs = 1_000_000;
  readonly store: ScopeStore;
  readonly core: FakeCore;

  constructor(
    core: FakeCore = new FakeCore(() => undefined),
    store: ScopeStore = new ScopeStore(),
  ) {
    this.core = core;
    this.store = store;
    core.apply = applyTo(store);
  }

  set(scope: string, limitUnits: number, windowMs = 0): Answered {
    const fields = { scope, limitUnits, windowMs };
    return this.core.ask(idOf(1), this.nowMs, (caller) => setScope(caller, this.store, fields));
  }

  reserve(id: number, units: Units | ScopeUnits[], session = 1): Answered {
    const scopes = Array.isArray(units) ? units : unitsOf(units);
    const fields = { reservation: idOf(id), scopes };
    return this.core.ask(idOf(session), this.nowMs, (caller) =>
      reserve(caller, this.store, fields),
    );
  }

  /** One unit of scope `a`, straight into the store: for large numbers of them. */
  plainReserve(id: number, session: number): void {
    const record: ScopeRecord = {
      kind: 'reserved',
      reservation: idOf(id),
      session: idOf(session),
      scopes: [{ scope: 'a', units: 1 }],
      atMs: this.nowMs,
    };
    this.store.apply(record, ++this.core.endOffset);
  }

  commit(id: number, units: Units, session = 1): Answered {
    const fields = { reservation: idOf(id), scopes: unitsOf(units) };
    return this.core.ask(idOf(session), this.nowMs, (caller) =>
      commitUnits(caller, this.store, fields),
    );
  }

  release(id: number, session = 1): Answered {
    const fields = { reservation: idOf(id) };
    return this.core.ask(idOf(session), this.nowMs, (caller) =>
      release(caller, this.store, fields),
    );
  }

  endSession(session: number, max?: number): boolean {
    const ending = { session: idOf(session), nowMs: this.nowMs };
    return endSessionScopes(this.core, this.store, max === undefined ? ending : { ...ending, max });
  }

  list(prefix = ''): Message<'ScopesOk'>['scopes'] {
    const { fields } = this.core.ask(idOf(1), this.nowMs, (caller) =>
      listScopes(caller, this.store, { prefix }),
    );
    return (fields as Message<'ScopesOk'>).scopes;
  }

  left(): Record<string, number> {
    return Object.fromEntries(
      this.list().map(({ scope, limitUnits, usedUnits, reservedUnits }) => [
        scope,
        Math.max(0, limitUnits - usedUnits - reservedUnits),
      ]),
    );
  }
}

export function applyTo(store: ScopeStore): Apply {
  return (record, offset) => {
    const { kind } = record;
    if (kind === 'scopeSet' || kind === 'reserved' || kind === 'reservationEnded') {
      store.apply(record, offset);
    } else throw new Error(`not about scopes: ${kind}`);
  };
}
