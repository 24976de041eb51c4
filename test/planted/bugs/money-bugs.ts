/** Bugs by which money would be used twice, forgotten, or kept from jobs that may have it. */

import type { PlantedBug } from '../bug.ts';

const account = { test: 'test/unit/gate/account.test.ts' } as const;
const requests = { test: 'test/unit/broker/state-machine/requests/money.test.ts' } as const;
const rates = { test: 'test/unit/broker/state-machine/requests/rates.test.ts' } as const;
const compaction = {
  test: 'test/unit/broker/state-machine/lifecycle/compaction.test.ts',
} as const;
const simulation = { seeds: 60, steps: 2_000 } as const;

export const moneyBugs: readonly PlantedBug[] = [
  {
    name: 'held-not-counted',
    what: 'what calls under way may cost does not count as used',
    edits: [
      {
        in: 'core/gate/account.ts#leftMicros',
        find: '- settledMicros - heldMicros - unknownMicros',
        replace: '- settledMicros - 0 * heldMicros - unknownMicros',
      },
    ],
    caughtBy: account,
  },
  {
    name: 'unknown-cost-freed',
    what: 'a call of unknown cost frees what it held',
    edits: [
      {
        in: 'core/gate/account.ts#withEnd',
        find: 'unknownMicros: sum(freed.unknownMicros, boundMicros)',
        replace: 'unknownMicros: freed.unknownMicros',
      },
    ],
    caughtBy: account,
  },
  {
    name: 'bound-charged',
    what: 'a call is charged its bound, whatever it cost',
    edits: [
      {
        in: 'core/gate/account.ts#withEnd',
        find: 'sum(freed.settledMicros, end.micros)',
        replace: 'sum(freed.settledMicros, boundMicros)',
      },
    ],
    caughtBy: account,
  },
  {
    name: 'old-period-charged',
    what: 'a call that began in an earlier period is charged to the present one',
    edits: [
      {
        in: 'core/gate/account.ts#withEnd',
        find: 'if (hold.startMs !== account.startMs) return account;',
        replace: '',
      },
    ],
    caughtBy: account,
  },
  {
    name: 'waiting-call-parked',
    what: 'a call that fits once others cost less parks its job',
    edits: [
      {
        in: 'core/gate/account.ts#decide',
        find: 'boundMicros > left + account.heldMicros',
        replace: 'boundMicros > left',
      },
    ],
    caughtBy: account,
  },
  {
    name: 'lost-call-freed',
    what: 'calls of a lost consumer count as never sent',
    edits: [
      {
        in: 'core/broker/state-machine/lifecycle/budgets.ts#loseCalls',
        find: "end: 'unknown'",
        replace: "end: 'unsent'",
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'charged-twice',
    what: 'a charge that is told again counts again',
    edits: [
      {
        in: 'core/broker/state-machine/state/money/money-store.ts#MoneyStore.charge',
        find: 'this.#drop(hold);',
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'granted-without-lease',
    what: 'a call is granted to who lost the lease',
    edits: [
      {
        in: 'core/broker/state-machine/lifecycle/budgets.ts#answerCall',
        find: '!core.leases.held(job, token, session)',
        replace: 'core.leases.of(job) === null',
      },
    ],
    caughtBy: requests,
  },
  {
    name: 'overtaken-call',
    what: 'a small call overtakes one that waits for the same budget',
    edits: [
      {
        in: 'core/broker/state-machine/lifecycle/budgets.ts#tryCall',
        find: 'names.some((name) => taken.has(name))',
        replace: 'names.every((name) => name === null)',
      },
    ],
    caughtBy: requests,
  },
  {
    name: 'overtaken-at-a-gate',
    what: 'a call passes a gate for which an earlier one waits',
    edits: [
      {
        in: 'core/broker/state-machine/lifecycle/budgets.ts#tryCall',
        find: 'gates.some((name) => taken.has(name))',
        replace: 'gates.every((name) => name === null)',
      },
    ],
    caughtBy: rates,
  },
  {
    name: 'place-outlives-lease',
    what: 'a call whose job was acknowledged without its charge stays in flight for ever',
    edits: [
      {
        in: 'core/broker/state-machine/requests/settle.ts#settleOne',
        find: 'core.rates.lose(item.token.id, now.monotonicMs);',
        replace: '',
      },
    ],
    caughtBy: rates,
  },
  {
    name: 'raise-wakes-nobody',
    what: 'jobs stay parked after a raise',
    edits: [
      {
        in: 'core/broker/state-machine/requests/money-requests.ts#raiseBudget',
        find: 'wakeParked(core, name, now);',
        replace: '',
      },
    ],
    caughtBy: requests,
  },
  {
    name: 'holds-not-said-again',
    what: 'compaction forgets what calls hold',
    edits: [
      {
        in: 'core/broker/state-machine/state/money/money-store.ts#MoneyStore.rewriteRecords',
        find: 'yield* this.#holds.values();',
        replace: '',
      },
    ],
    caughtBy: compaction,
  },
  {
    name: 'journal-charges-again',
    what: 'a journal entry that compaction says again is charged again',
    edits: [
      {
        in: 'core/broker/state-machine/lifecycle/compaction.ts#rewriteRecord',
        find: '{ ...record, charge: null }',
        replace: 'record',
      },
    ],
    caughtBy: compaction,
  },
];
