/** Holds what a broker tells of budgets and costs against the book. */

import type { Outgoing } from '../../core/broker/events.ts';
import type { Message, MessageName } from '../../core/protocol/index.ts';
import type { MoneyBook } from './money-book.ts';

/** Why the answer is not what the records say; null when it is, or is about something else. */
export function problemOfMoney(
  book: MoneyBook,
  name: MessageName,
  fields: Outgoing['fields'],
): string | null {
  if (name === 'BudgetsOk') return problemOfBudgets(book, fields as Message<'BudgetsOk'>);
  if (name === 'CostsOk') return problemOfCosts(book, fields as Message<'CostsOk'>);
  return null;
}

function problemOfBudgets(book: MoneyBook, { budgets }: Message<'BudgetsOk'>): string | null {
  const told = budgets.map(({ terms, amountMicros, startMs, ...sums }) => {
    const held = sums.heldMicros + sums.unknownMicros;
    return [terms.name, amountMicros, startMs, terms.per === 'job' ? 0 : held + sums.settledMicros];
  });
  const known = [...book.budgets.values()].map(
    ({ terms: { name, per }, amountMicros, startMs }) => {
      const used = per === 'job' ? 0 : book.heldOf(name, '') + book.settledOf(name, '');
      return [name, amountMicros, startMs, used];
    },
  );
  return difference('budgets', told, known);
}

function problemOfCosts(book: MoneyBook, { rows }: Message<'CostsOk'>): string | null {
  const told = rows.map(({ day, agent, model, batch, calls, settledMicros }) => {
    return [`${day} ${agent} ${model} ${batch}`, calls, settledMicros];
  });
  const known = [...book.costs].map(([key, { calls, settledMicros }]) => [
    key,
    calls,
    settledMicros,
  ]);
  // A row of calls that are all under way has nothing yet.
  const some = (all: unknown[][]): unknown[][] => all.filter(([, calls]) => calls !== 0);
  return difference('costs', some(told), some(known));
}

function difference(what: string, told: unknown[][], known: unknown[][]): string | null {
  const [one, other] = [told, known].map((rows) => JSON.stringify(rows.toSorted(byName)));
  return one === other ? null : `${what} are told as ${one}, and are ${other}`;
}

function byName([one]: unknown[], [other]: unknown[]): number {
  return String(one) < String(other) ? -1 : 1;
}
