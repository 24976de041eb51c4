/** Upper bounds of the bytes that the records of money add to the log when compaction says them again. */

import type { RecordOf } from '../../records/records.ts';

/** Bytes of a record with its frame, texts and lists aside. */
const recordBytes = 128;

/** Texts take at most three bytes a UTF-16 unit. */
function textBytes(texts: readonly (string | null)[]): number {
  return texts.reduce((bytes, text) => bytes + 3 * (text?.length ?? 0) + 4, 0);
}

export function bytesOfBudget({
  terms,
  overBound,
}: Pick<RecordOf<'budgetSet'>, 'terms'> & { readonly overBound: readonly string[] }): number {
  const { name, currency, timeZone, agent, model, tag } = terms;
  const texts = [name, currency, timeZone, agent, model, tag, ...overBound];
  return 2 * recordBytes + textBytes(texts);
}

export function bytesOfHold({ agent, model, batch, budgets }: RecordOf<'reserved'>): number {
  return (
    recordBytes +
    textBytes([agent, model, batch, ...budgets.map(({ name }) => name)]) +
    8 * budgets.length
  );
}

export function bytesOfJob(name: string): number {
  return recordBytes + textBytes([name]);
}
