/** What may start: the money of budgets as pure functions, for whatever engine keeps it. */

export {
  type Account,
  type CallEnd,
  type Claim,
  type Decision,
  decide,
  type Hold,
  newAccount,
  withEnd,
  withHold,
} from './account.ts';
export {
  type Budget,
  type BudgetPeriod,
  type Caller,
  concerns,
  isTimeZone,
  type Period,
  periodAt,
} from './budget.ts';
export { type BatchOutcomes, parseStopRule, type StopRule, stopReason } from './stop-rule.ts';
