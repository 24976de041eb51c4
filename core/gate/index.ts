/** What may start: the money of budgets and the rates of calls as pure functions, for whatever engine keeps them. */

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
export {
  type Allowance,
  type Amounts,
  type CallTokens,
  type CallWord,
  estimateOf,
  type GateTerms,
  newRateGate,
  opensAtMs,
  type RateGate,
  type RateTerms,
  stepRates,
} from './rates.ts';
export { type BatchOutcomes, parseStopRule, type StopRule, stopReason } from './stop-rule.ts';
