/** `aiq budgets`: shows the budgets of the broker, and changes them. */

import { formatMicros, parseMicros } from '../../../base/index.ts';
import type { BudgetState } from '../../../job-queue/index.ts';
import { CliError, usageError } from '../../errors.ts';
import type { ExitName } from '../../exit-codes.ts';
import {
  budgetTable,
  describeBudget,
  findBudget,
  formatBudgetDetails,
  leftMicros,
  runOnText,
  unknownBudget,
} from '../../output/budget-view.ts';
import type { Session } from '../../session.ts';

export async function listBudgets(session: Session): Promise<ExitName> {
  const states = await (await session.queue()).budgets();
  const { terminal } = session;
  if (terminal.json) {
    for (const state of states) terminal.result(JSON.stringify(describeBudget(state)));
  } else for (const line of budgetTable(states)) terminal.result(line);
  if (states.length > 0) return 'ok';
  const { budgets } = await session.config();
  const fix =
    budgets.length > 0
      ? 'those of aiq.config.yaml become known by aiq run, or aiq budgets set'
      : 'they are written in aiq.config.yaml: see docs/guides/money.md';
  terminal.note(`no budgets: ${fix}`);
  return 'ok';
}

export async function showBudget(session: Session, name: string): Promise<ExitName> {
  const state = await findBudget(session, name);
  const { terminal } = session;
  if (terminal.json) terminal.result(JSON.stringify(describeBudget(state), null, 2));
  else for (const line of formatBudgetDetails(state)) terminal.result(line);
  return 'ok';
}

/** Makes the terms those of the configuration: of all its budgets when none is named. */
export async function setBudgets(session: Session, names: readonly string[]): Promise<ExitName> {
  const { budgets, file } = await session.config();
  const known = budgets.map((one) => one.name);
  const missing = names.find((name) => !known.includes(name));
  if (missing !== undefined) {
    throw unknownBudget(missing, known, `It is not in ${file ?? 'the configuration'}.`);
  }
  if (known.length === 0) {
    throw new CliError('notFound', 'the configuration names no budgets', [
      'Example for aiq.config.yaml: budgets: { daily: { amount: 3, currency: USD, per: day } }',
    ]);
  }
  const wanted = names.length === 0 ? known : names;
  const queue = await session.queue();
  await queue.setBudgets(
    budgets.filter(({ name }) => wanted.includes(name)),
    { replace: true },
  );
  const states = (await queue.budgets()).filter(({ terms }) => wanted.includes(terms.name));
  const { terminal } = session;
  if (terminal.json) {
    for (const state of states) terminal.result(JSON.stringify(describeBudget(state)));
  }
  for (const state of states) terminal.note(`set ${state.terms.name}`);
  return 'ok';
}

export async function raiseBudget(
  session: Session,
  name: string,
  amount: string,
): Promise<ExitName> {
  const state = await findBudget(session, name);
  const { currency } = state.terms;
  const micros = parseMoney(amount, state);
  const left = leftMicros(state);
  const usedAndHeld = left === null ? 0 : state.amountMicros - left;
  if (micros <= usedAndHeld) {
    throw usageError(
      `${formatMicros(micros)} ${currency} is not above what is used and held of budget "${name}": ${formatMicros(usedAndHeld)} ${currency}`,
      'The amount is that of the whole budget, not what is added to it.',
    );
  }
  await (await session.queue()).raiseBudget(name, micros);
  const run = state.parked === 0 ? '' : `; ${runOnText(state.parked)} as far as there is room`;
  await changed(session, name, `budget ${name} is ${formatMicros(micros)} ${currency} now${run}`);
  return 'ok';
}

export async function settleBudget(
  session: Session,
  name: string,
  amount: string,
): Promise<ExitName> {
  const state = await findBudget(session, name);
  const { currency } = state.terms;
  const micros = parseMoney(amount, state);
  if (state.unknownMicros === 0) {
    throw usageError(
      `budget "${name}" has no calls of unknown cost`,
      `See: aiq budgets show ${name}`,
    );
  }
  await (await session.queue()).settleBudget(name, micros, state.unknownMicros);
  const [before, now] = [state.unknownMicros, micros].map((one) => formatMicros(one));
  await changed(
    session,
    name,
    `the unknown calls of budget ${name} cost ${now} ${currency}, not up to ${before}`,
  );
  return 'ok';
}

export async function removeBudget(session: Session, name: string): Promise<ExitName> {
  const { parked } = await findBudget(session, name);
  await (await session.queue()).removeBudgets([name]);
  const { terminal } = session;
  if (terminal.json) terminal.result(JSON.stringify({ removed: name, parked }));
  const run = parked === 0 ? '' : `; ${runOnText(parked)}`;
  terminal.note(`removed budget ${name}${run}`);
  const { budgets, file } = await session.config();
  if (budgets.some((one) => one.name === name)) {
    terminal.note(`${file} still has it: the next aiq run makes it known again`);
  }
  return 'ok';
}

/** Says what was done and, with `--json`, prints the budget afterwards. */
async function changed(session: Session, name: string, text: string): Promise<void> {
  const { terminal } = session;
  if (terminal.json) {
    terminal.result(JSON.stringify(describeBudget(await findBudget(session, name)), null, 2));
  }
  terminal.note(text);
}

/**
 * `3`, `0.25` or `3 USD` in millionths.
 * @throws CliError `usage`
 */
function parseMoney(text: string, { terms: { name, currency } }: BudgetState): number {
  const [, amount = '', unit = currency] = /^(\S+)(?: ([A-Z]{3}))?$/.exec(text) ?? [];
  const micros = parseMicros(amount);
  if (unit !== currency) {
    throw usageError(`${JSON.stringify(text)} is in ${unit}, and budget "${name}" in ${currency}`);
  }
  if (micros !== null) return micros;
  throw usageError(
    `${JSON.stringify(text)} is not an amount in ${currency}, with up to 6 decimals`,
    `Examples: 3, 0.25, "3 ${currency}"`,
  );
}
