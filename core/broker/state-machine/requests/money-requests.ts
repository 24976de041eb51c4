/**
 * Reserve, Charge, and what people say of budgets. A charge needs no lease: what a call cost is true, also when
 * another session has the job by now.
 */

import { isTimeZone, periodAt } from '../../../gate/index.ts';
import { type BudgetTerms, limits, type Message } from '../../../protocol/index.ts';
import type { Now } from '../../events.ts';
import type { Core } from '../context/core.ts';
import { type Request, refuse, respond } from '../context/request.ts';
import { answerWaitingCalls, chargedOf, commitBudget, wakingAfter } from '../lifecycle/budgets.ts';
import { parkKeyOf, wakeParked } from '../lifecycle/parking.ts';
import type { BudgetEntry, Charged, HoldEntry } from '../state/money/money-store.ts';

const budgetsMax = 1_000;
/** Characters of the names of agents and models, and of budgets. */
const nameMax = 200;
const budgetNameMax = 128;
const namePattern = /^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$/;
/** Holds that one record charges. */
const chargesPerRecord = 250;

export function reserve(request: Request<'Reserve'>): void {
  const { core, session, connection, correlationId, fields, now } = request;
  const { hold, agent, model, tags, rates } = fields;
  const names = [agent, model, rates?.provider ?? ''];
  if (hold === 0) refuse(request, 'BAD_REQUEST', 'hold is 0: draw a number for the call');
  else if (names.some(({ length }) => length > nameMax) || tags.length > limits.tagsMax) {
    refuse(request, 'BAD_REQUEST', 'the names of the call are too long, or its tags too many');
  } else {
    core.waitingCalls.add({ connection, correlationId, session: session.id, fields });
    core.waitedAtChange = -1;
    answerWaitingCalls(core, now);
  }
}

export function charge(request: Request<'Charge'>): void {
  const { core, fields, now } = request;
  if (fields.charges.length > limits.batchItemsMax) {
    refuse(request, 'TOO_MANY_ITEMS', `at most ${limits.batchItemsMax} charges in one message`);
  } else {
    const due = new Map(fields.charges.map((one) => [one.hold || Symbol('no hold'), one]));
    const charges = [...due.values()].flatMap((one) => chargedOf(core, one, now) ?? []);
    commitCharges(core, charges, now);
    for (const one of fields.charges) core.rates.end(one, now.monotonicMs);
    respond(request, 'Ok', {});
  }
}

function commitCharges(core: Core, charges: readonly Charged[], now: Now): void {
  for (let at = 0; at < charges.length; at += chargesPerRecord) {
    const some = charges.slice(at, at + chargesPerRecord);
    wakingAfter(core, some, now, () =>
      core.commit({ kind: 'charged', charges: [...some], atMs: now.wallMs }),
    );
  }
}

export function budgets(request: Request<'Budgets'>): void {
  const { money, jobs } = request.core.state;
  const queues = [...jobs.queues.all()];
  const rows = [...money.budgets.values()].map((entry) => {
    const { terms, budget, endMs } = entry;
    const { startMs, overBound, ...used } = money.totalOf(entry);
    const key = parkKeyOf(terms.name);
    const parked = queues.reduce(
      (sum, queue) => sum + (queue.parked.get(key)?.rows.length ?? 0),
      0,
    );
    const { amountMicros } = budget;
    const period = { startMs, endMs: endMs ?? 0 };
    return { terms, amountMicros, ...period, ...used, overBound: [...overBound], parked };
  });
  respond(request, 'BudgetsOk', { budgets: rows });
}

export function setBudgets(request: Request<'SetBudgets'>): void {
  const { core, fields, now } = request;
  const { money } = core.state;
  const changed = fields.budgets.filter((terms) => {
    const known = money.budgets.get(terms.name);
    const isRaised = known !== undefined && known.budget.amountMicros !== terms.amountMicros;
    return !isSame(known, terms) || (fields.mode === 'set' && isRaised);
  });
  const bad = changed.map(refusalOfTerms).find((problem) => problem !== null);
  const added = changed.filter(({ name }) => !money.budgets.has(name));
  const other = changed.find(({ name }) => money.budgets.has(name));
  if (bad !== undefined) refuse(request, 'BAD_REQUEST', bad);
  else if (money.budgets.size + added.length > budgetsMax) {
    refuse(request, 'QUEUE_FULL', `the broker keeps at most ${budgetsMax} budgets`);
  } else if (fields.mode === 'declare' && other !== undefined) {
    refuse(request, 'CONFLICT', conflictOf(other, money.budgets.get(other.name)));
  } else {
    for (const terms of changed) {
      const { currency: _, ...budget } = terms;
      const { startMs } = periodAt(budget, now.wallMs);
      const before = money.budgets.get(terms.name);
      if (before !== undefined && (before.terms.per === 'job') !== (terms.per === 'job')) {
        core.commit({ kind: 'budgetRemoved', name: terms.name, atMs: now.wallMs });
      }
      const account = money.budgets.get(terms.name)?.account;
      const settledMicros = account?.startMs === startMs ? account.settledMicros : 0;
      commitBudget(core, { terms, budget, startMs, settledMicros, overBound: [] }, now);
      wakeParked(core, terms.name, now);
    }
    respond(request, 'Ok', {});
  }
}

export function removeBudgets(request: Request<'RemoveBudgets'>): void {
  const { core, fields, now } = request;
  for (const name of fields.names) {
    if (!core.state.money.budgets.has(name)) continue;
    core.commit({ kind: 'budgetRemoved', name, atMs: now.wallMs });
    wakeParked(core, name, now);
  }
  respond(request, 'Ok', {});
}

export function raiseBudget(request: Request<'RaiseBudget'>): void {
  const { core, fields, now } = request;
  const { name, amountMicros } = fields;
  const entry = core.state.money.budgets.get(name);
  if (entry === undefined) return refuseUnknown(request, name);
  const { settledMicros, heldMicros, unknownMicros, startMs } = entry.account;
  const usedMicros = settledMicros + heldMicros + unknownMicros;
  if (amountMicros <= usedMicros || amountMicros === Number.MAX_SAFE_INTEGER) {
    const what = `${usedMicros} millionths of it are used or held`;
    refuse(request, 'BAD_REQUEST', `budget ${name} cannot become ${amountMicros}: ${what}`);
    return;
  }
  const budget = { ...entry.budget, amountMicros };
  const change = { terms: entry.terms, budget, startMs, settledMicros, overBound: [] };
  commitBudget(core, change, now);
  wakeParked(core, name, now);
  respond(request, 'Ok', {});
}

/** Each call gets a share by its bound; what does not divide goes to the last one. */
export function settleBudget(request: Request<'SettleBudget'>): void {
  const { core, fields } = request;
  const { name, micros, unknownMicros } = fields;
  const { money } = core.state;
  const entry = money.budgets.get(name);
  if (entry === undefined) return refuseUnknown(request, name);
  const { startMs, unknownMicros: nowMicros } = money.totalOf(entry);
  const isOf = ({ budgets: of, unknown }: HoldEntry): boolean =>
    unknown && of.some((one) => one.name === name && one.startMs === startMs);
  const holds = [...money.holds.values()].filter(isOf);
  if (holds.length === 0) {
    refuse(request, 'BAD_STATE', `budget ${name} has no calls of unknown cost`);
    return;
  }
  if (unknownMicros !== nowMicros) {
    const message = `calls of unknown cost in budget ${name} hold ${nowMicros} millionths by now, not ${unknownMicros}`;
    refuse(request, 'BAD_STATE', message);
    return;
  }
  const bounds = holds.reduce((sum, { boundMicros }) => sum + BigInt(boundMicros), 0n) || 1n;
  let left = micros;
  const charges = holds.map(({ hold, boundMicros }, index): Charged => {
    const isLast = index === holds.length - 1;
    const share = isLast ? left : Number((BigInt(micros) * BigInt(boundMicros)) / bounds);
    left -= share;
    const usage = { calls: 1, inputTokens: 0, outputTokens: 0, costMicros: share, estimated: true };
    return { hold, end: 'settled', agent: '', model: '', batch: '', usage, day: 0 };
  });
  commitCharges(core, charges, request.now);
  respond(request, 'Ok', {});
}

export function costs(request: Request<'Costs'>): void {
  const { dayMin, dayMax, after, limit } = request.fields;
  const { money } = request.core.state;
  const rowsMax = Math.min(Math.max(1, limit), limits.listRowsMax);
  const rows = money.costRows().filter(({ day }) => day >= dayMin && day <= dayMax);
  const page: Message<'CostsOk'>['rows'] = rows.slice(after, after + rowsMax);
  const next = after + rowsMax < rows.length ? after + rowsMax : 0;
  respond(request, 'CostsOk', { rows: page, next });
}

function refuseUnknown(request: Request<'RaiseBudget' | 'SettleBudget'>, name: string): void {
  refuse(
    request,
    'NOT_FOUND',
    `no budget ${JSON.stringify(name.slice(0, budgetNameMax))} is known`,
  );
}

function isSame(known: BudgetEntry | undefined, terms: BudgetTerms): boolean {
  if (known === undefined) return false;
  const names = Object.keys(terms) as (keyof BudgetTerms)[];
  return names.every((name) => known.terms[name] === terms[name]);
}

function refusalOfTerms(terms: BudgetTerms): string | null {
  const { name, amountMicros, currency, timeZone, agent, model, tag } = terms;
  if (name.length > budgetNameMax || !namePattern.test(name)) {
    return `not a name of a budget: ${JSON.stringify(name.slice(0, 60))}`;
  }
  if (amountMicros === 0 || amountMicros === Number.MAX_SAFE_INTEGER) {
    return `budget ${name} has an amount of ${amountMicros} millionths`;
  }
  if (!/^[A-Z]{3}$/.test(currency))
    return `budget ${name} names no currency: three letters, as USD`;
  if (!isTimeZone(timeZone)) return `budget ${name} has an unknown time zone`;
  const isLong = [agent, model, tag].some((text) => (text?.length ?? 0) > nameMax);
  return isLong ? `a name in budget ${name} is too long` : null;
}

function conflictOf(wanted: BudgetTerms, known: BudgetEntry | undefined): string {
  const differing = (Object.keys(wanted) as (keyof BudgetTerms)[])
    .filter((field) => known?.terms[field] !== wanted[field])
    .map((field) => `${field} ${known?.terms[field] ?? 'none'}, not ${wanted[field] ?? 'none'}`);
  const { name } = wanted;
  return `budget ${name} is known here with ${differing.join(', ')}: aiq budgets set ${name} takes the new terms`;
}
