/**
 * Budgets and rates at work: calls that wait for room, periods that begin, what vanished consumers leave behind, and
 * jobs that run on when there is room again. What may start is decided by `core/gate/`.
 */

import { type Claim, concerns, decide, periodAt } from '../../../gate/index.ts';
import { type Charge, type Message, noUsage, unknownCostMicros } from '../../../protocol/index.ts';
import type { Now } from '../../events.ts';
import type { RatedCall, Shut } from '../context/calls/rate-table.ts';
import type { Core, WaitingCall } from '../context/core.ts';
import { type RequestContext, refuse, respond } from '../context/request.ts';
import type { BudgetEntry, Charged } from '../state/money/money-store.ts';
import { noteRefused, wakeParked } from './parking.ts';

/** Holds of all jobs, those of unknown cost included: each takes some 400 bytes of memory. */
const holdsMax = 1_000_000;
/** Of a call that holds money: its hold says whose it is. */
const unnamed = { agent: '', model: '', batch: '' };
const dayMs = 24 * 3_600_000;

function dayOf({ wallMs }: Now): number {
  return Math.floor(wallMs / dayMs);
}

/** Begins periods that are due, and answers calls for which there is room by now. */
export function tendBudgets(core: Core, now: Now): void {
  beginPeriods(core, now);
  answerWaitingCalls(core, now);
}

/** Begins the periods that are due; what was parked for their budgets runs on. */
function beginPeriods(core: Core, now: Now): void {
  const { money } = core.state;
  if ((money.nextPeriodMs ?? Number.POSITIVE_INFINITY) > now.wallMs) return;
  for (const entry of money.budgets.values()) {
    if (entry.endMs === null || entry.endMs > now.wallMs) continue;
    const { startMs } = periodAt(entry.budget, now.wallMs);
    commitBudget(core, { ...entry, startMs, settledMicros: 0, overBound: [] }, now);
    wakeParked(core, entry.budget.name, now);
  }
}

/** A budget as it is to be from here on. */
export interface BudgetChange extends Pick<BudgetEntry, 'terms' | 'budget'> {
  readonly startMs: number;
  readonly settledMicros: number;
  readonly overBound: readonly string[];
}

export function commitBudget(core: Core, change: BudgetChange, now: Now): void {
  const { terms, budget, startMs, settledMicros, overBound } = change;
  const { amountMicros } = budget;
  const used = { startMs, settledMicros, overBound: [...overBound] };
  core.commit({ kind: 'budgetSet', terms, amountMicros, ...used, atMs: now.wallMs });
}

/** The job's lease is over: what its calls held counts as sent until someone says otherwise. */
export function loseCalls(core: Core, id: string, now: Now): void {
  core.rates.lose(id, now.monotonicMs);
  const holds = core.state.money.openHoldsOf(id);
  if (holds.length === 0) return;
  const charges = holds.map(({ hold }) => {
    return { hold, end: 'unknown', ...unnamed, usage: noUsage, day: 0 } as const;
  });
  core.commit({ kind: 'charged', charges, atMs: now.wallMs });
}

/** Holds whose consumers were lost while the broker was down. */
export function loseCallsOfEndedLeases(core: Core, now: Now): void {
  const { money, jobs } = core.state;
  const ids = new Set([...money.holds.values()].map(({ id }) => id));
  for (const id of ids) if (jobs.get(id)?.state !== 'leased') loseCalls(core, id, now);
}

/** A call that fits is answered in its turn, and so is one that can not fit any more. */
export function answerWaitingCalls(core: Core, now: Now): void {
  const { waitingCalls, rates } = core;
  const changes = core.state.money.changes + rates.changes;
  const isDue = rates.wakeAtMs !== null && rates.wakeAtMs <= now.monotonicMs;
  if (!isDue && (waitingCalls.size === 0 || changes === core.waitedAtChange)) return;
  /** Budgets and gates for which an earlier call waits. */
  const taken = new Set<string>();
  let wakeAtMs = Number.POSITIVE_INFINITY;
  for (const call of waitingCalls) {
    if (core.connections.get(call.connection)?.id !== call.session) {
      waitingCalls.delete(call);
      continue;
    }
    const waits = tryCall(core, call, taken, now);
    if (waits === null) waitingCalls.delete(call);
    else {
      for (const name of waits.names) taken.add(name);
      wakeAtMs = Math.min(wakeAtMs, waits.opensAtMs);
    }
  }
  rates.wakeAtMs = Number.isFinite(wakeAtMs) ? wakeAtMs : null;
  core.waitedAtChange = changes;
}

/** Answers the call, unless it has to wait: then says for what. */
function tryCall(core: Core, call: WaitingCall, taken: ReadonlySet<string>, now: Now): Shut | null {
  const { fields } = call;
  const claims = claimsOf(core, fields);
  const names = claims.map(({ budget }) => budget.name);
  const gates = isRated(fields) ? core.rates.namesOf(fields) : [];
  if (names.some((name) => taken.has(name))) return { ...waitsForCalls, names };
  if (gates.some((name) => taken.has(name))) return waitsForCalls;
  return answerCall(core, call, claims, now);
}

/** Time alone does not help. */
const waitsForCalls: Shut = { opensAtMs: Number.POSITIVE_INFINITY, names: [] };

function isRated(call: Message<'Reserve'>): call is RatedCall {
  return call.rates !== null;
}

/** Answers the call, unless it has to wait: then says for what. */
function answerCall(
  core: Core,
  call: WaitingCall,
  claims: readonly Claim[],
  now: Now,
): Shut | null {
  const { fields, connection, correlationId } = call;
  const { token, hold } = fields;
  const request: RequestContext = {
    core,
    session: { id: call.session },
    connection,
    correlationId,
    now,
  };
  const { jobs, money } = core.state;
  const [job, session] = [jobs.get(token.id), core.sessions.get(call.session)];
  const holder = money.holds.get(hold)?.id ?? core.rates.jobOf(hold);
  if (job === undefined || session === undefined || !core.leases.held(job, token, session)) {
    const message = 'the lease is not the newest of its job, or not of this session';
    refuse(request, 'STALE_LEASE', message);
  } else if (holder !== undefined) {
    if (holder === token.id) respond(request, 'ReserveOk', granted);
    else refuse(request, 'BAD_REQUEST', `hold ${hold} is that of another job: draw another number`);
  } else if (!hasRoomForHold(core, fields, now)) {
    refuse(request, 'QUEUE_FULL', `${holdsMax} calls that are under way hold money`);
  } else if (isRated(fields) && !core.rates.hasRoom(fields, now.monotonicMs)) {
    refuse(
      request,
      'QUEUE_FULL',
      'the broker knows as many agents, providers and models as it may',
    );
  } else return grantCall(core, request, claims, fields);
  return null;
}

/** Grants the call, or says why it cannot be; null unless it has to wait. */
function grantCall(
  core: Core,
  request: RequestContext,
  claims: readonly Claim[],
  fields: Message<'Reserve'>,
): Shut | null {
  const { now } = request;
  const { money } = core.state;
  const isUnbounded = fields.boundMicros === Number.MAX_SAFE_INTEGER;
  const boundMicros = claims.length === 0 && isUnbounded ? 0 : (fields.boundMicros ?? 0);
  const decision = decide(claims, { model: fields.model, boundMicros });
  if (decision.decision === 'waits') {
    return { ...waitsForCalls, names: claims.map(({ budget }) => budget.name) };
  }
  if (decision.decision === 'parked') {
    noteRefused(core, fields.token.id, decision.budget);
    respond(request, 'ReserveOk', {
      reason: decision.reason,
      budget: decision.budget,
      leftMicros: decision.leftMicros,
      opensAtMs: money.budgets.get(decision.budget)?.endMs ?? 0,
    });
    return null;
  }
  if (isRated(fields)) {
    const shut = core.rates.shutFor(fields, now.monotonicMs);
    if (shut !== null) return shut;
    core.rates.grant(fields, now.monotonicMs);
  }
  if (fields.boundMicros !== null) {
    const budgets = claims.map(({ budget: { name, per }, account: { startMs } }) => {
      return { name, startMs, forJob: per === 'job' };
    });
    const batch = batchOf(core, fields.token.id);
    const held = { ...holdOf(fields), batch, boundMicros, budgets, ...timesOf(now) };
    core.commit({ kind: 'reserved', ...held });
  }
  respond(request, 'ReserveOk', granted);
  return null;
}

function hasRoomForHold(core: Core, { boundMicros }: Message<'Reserve'>, now: Now): boolean {
  return boundMicros === null || core.state.money.holds.size < holdsMax || settleOldest(core, now);
}

/** Of so many calls of unknown cost the oldest counts as settled at its bound; false when there is none. */
function settleOldest(core: Core, now: Now): boolean {
  for (const { hold, unknown, boundMicros: costMicros } of core.state.money.holds.values()) {
    if (!unknown) continue;
    const usage = { ...noUsage, calls: 1, costMicros, estimated: true };
    const charge = { hold, end: 'settled', ...unnamed, usage, day: 0 } as const;
    core.commit({ kind: 'charged', charges: [charge], atMs: now.wallMs });
    return true;
  }
  return false;
}

const granted: Message<'ReserveOk'> = { reason: 'none', budget: '', leftMicros: 0, opensAtMs: 0 };

function holdOf({ hold, token: { id }, agent, model }: Message<'Reserve'>) {
  return { hold, id, agent, model, unknown: false };
}

function timesOf(now: Now) {
  return { day: dayOf(now), atMs: now.wallMs };
}

/** The budgets that concern the call. */
/** Empty for none. */
function batchOf({ state: { jobs } }: Core, id: string): string {
  return jobs.batches.nameOf(jobs.get(id)?.slot ?? 0);
}

function claimsOf(core: Core, call: Message<'Reserve'>): Claim[] {
  const { money } = core.state;
  const batch = batchOf(core, call.token.id);
  const claims: Claim[] = [];
  if (call.boundMicros === null) return claims;
  for (const entry of money.budgets.values()) {
    if (!concerns(entry.budget, { ...call, batch })) continue;
    claims.push({ budget: entry.budget, account: money.accountOf(entry, call.token.id) });
  }
  return claims;
}

/** Characters of the names of agents and models. */
const callNameMax = 200;

/** What is to be counted of a charge; null when it has been. */
export function chargedOf(core: Core, charge: Charge, now: Now): Charged | null {
  const { hold, end, agent, model, usage } = charge;
  const known = core.state.money.holds.get(hold);
  // A call that had a place under its rates alone counts while it has that, so once.
  if (hold === 0 || (known === undefined && core.rates.jobOf(hold) === charge.id)) {
    if (end === 'unsent') return null;
    // What was bought is kept, whatever its model is named.
    const names = { agent: agent.slice(0, callNameMax), model: model.slice(0, callNameMax) };
    const batch = batchOf(core, charge.id);
    return { hold: 0, end, ...names, batch, usage, day: dayOf(now) };
  }
  if (known === undefined) return null;
  // A call whose price went away meanwhile has its bound as its cost.
  const hasNoCost = end === 'settled' && usage.costMicros === unknownCostMicros;
  const counted = hasNoCost ? 'unknown' : end;
  if (known.unknown && counted === 'unknown') return null;
  return { hold, end: counted, ...unnamed, usage, day: 0 };
}

/**
 * Does what counts the charges. Jobs were parked where calls of unknown cost had used a budget up: once such
 * a cost is known they run on. What calls that are under way leave has calls that wait, and no parked jobs.
 */
export function wakingAfter(
  core: Core,
  charges: readonly Pick<Charge, 'hold'>[],
  now: Now,
  count: () => void,
): void {
  const { money } = core.state;
  const unknown = charges
    .flatMap(({ hold }) => money.holds.get(hold) ?? [])
    .filter((hold) => hold.unknown);
  count();
  const known = unknown.filter(({ hold }) => !money.holds.has(hold));
  const names = new Set(known.flatMap(({ budgets }) => budgets.map(({ name }) => name)));
  for (const name of names) wakeParked(core, name, now);
}
