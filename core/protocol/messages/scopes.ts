/**
 * Budgets and rate gates: units of named scopes, reserved before they are spent.
 * Part of the table in `../messages.ts`.
 */

import { scopeUnits } from '../structs.ts';

export const scopeMessages = {
  /** Sets what a scope may spend: in all when `windowMs` is 0, else in each such time (a rate). */
  SetScope: {
    opcode: 52,
    from: 'client',
    answer: 'Ok',
    fields: { scope: 'text', limitUnits: 'u53', windowMs: 'u53' },
  },
  Scopes: { opcode: 53, from: 'client', answer: 'ScopesOk', fields: { prefix: 'text' } },
  ScopesOk: {
    opcode: 54,
    from: 'broker',
    answer: null,
    fields: {
      scopes: {
        list: {
          struct: {
            scope: 'text',
            limitUnits: 'u53',
            windowMs: 'u53',
            usedUnits: 'u53',
            reservedUnits: 'u53',
          },
        },
      },
    },
  },
  /** Takes units from all scopes, or from none. */
  Reserve: {
    opcode: 41,
    from: 'client',
    answer: 'Ok',
    fields: { reservation: 'id', scopes: { list: scopeUnits } },
  },
  /** Replaces a reservation by what was really used. */
  Commit: {
    opcode: 42,
    from: 'client',
    answer: 'Ok',
    fields: { reservation: 'id', scopes: { list: scopeUnits } },
  },
  Release: { opcode: 43, from: 'client', answer: 'Ok', fields: { reservation: 'id' } },
} as const;
