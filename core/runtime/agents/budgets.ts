/** The budgets that the calls of agents fall under: made known before any job is taken. */

import type { Agent } from '../../agent/index.ts';
import { AiqError, type BudgetTerms, type JobQueue } from '../../job-queue/index.ts';
import { boundMicros, isFree, requestBody } from '../../model/index.ts';
import type { ThreadAgent } from '../pool/thread-messages.ts';

/** One more would be an unknown cost. */
const amountMicrosMax = Number.MAX_SAFE_INTEGER - 1;

type BudgetQueue = Pick<JobQueue, 'budgets' | 'setBudgets' | 'removeBudgets'>;

/**
 * Makes the budgets known, and those of the agents' `limits.maxCost` as they are now; resolves with all
 * that there are.
 * @throws AiqError `CONFLICT` when one is known with other terms; what the queue throws
 */
export async function declareBudgets(
  queue: BudgetQueue,
  budgets: readonly BudgetTerms[],
  agents: readonly Agent[],
): Promise<readonly BudgetTerms[]> {
  if (budgets.length > 0) await queue.setBudgets(budgets);
  return declareMaxCosts(queue, agents, budgets[0]?.currency);
}

/**
 * The same for the agents' own budgets alone.
 * @param currency of the prices
 */
export async function declareMaxCosts(
  queue: BudgetQueue,
  agents: readonly Agent[],
  currency = 'USD',
): Promise<readonly BudgetTerms[]> {
  const limits = agents.flatMap((agent) => maxCostOf(agent, currency) ?? []);
  if (limits.length > 0) await queue.setBudgets(limits, { replace: true });
  const known = await knownBudgets(queue);
  const unlimited = agents.filter(({ limits: { maxCost } }) => maxCost === null).map(maxCostName);
  const old = known.map(({ name }) => name).filter((name) => unlimited.includes(name));
  if (old.length > 0) await queue.removeBudgets(old);
  return known.filter(({ name }) => !old.includes(name));
}

/** Where budgets are not served, there are none. */
async function knownBudgets(queue: BudgetQueue): Promise<readonly BudgetTerms[]> {
  try {
    return (await queue.budgets()).map(({ terms }) => terms);
  } catch (error) {
    if (error instanceof AiqError && error.code === 'UNSUPPORTED') return [];
    throw error;
  }
}

function maxCostName({ name }: Agent): string {
  return `${name}.maxCost`;
}

/** The budget of what one job of the agent may cost; null where it has no limit. */
function maxCostOf(agent: Agent, currency: string): BudgetTerms | null {
  const { maxCost } = agent.limits;
  if (maxCost === null) return null;
  return {
    name: maxCostName(agent),
    amountMicros: Math.min(Math.max(1, Math.round(maxCost * 1_000_000)), amountMicrosMax),
    currency,
    per: 'job',
    timeZone: 'UTC',
    agent: agent.name,
    model: null,
    tag: null,
    batch: null,
  };
}

/** Why no budget can hold the agent's calls, with the line that mends it; null where none concerns them, or all can. */
export function budgetProblem(
  { agent, model, price, outputTokensMax }: ThreadAgent,
  budgets: readonly BudgetTerms[],
): string | null {
  const name = budgetOf(agent, model, budgets);
  if (name === undefined) return null;
  if (price === null) {
    return (
      `model ${model} has no price, and budget ${name} counts what its calls cost. Add it to aiq.config.yaml, ` +
      `for a million tokens: prices: { ${JSON.stringify(model)}: { input: 0.25, output: 2 } }`
    );
  }
  const { options } = agent.model;
  const none = { timeoutMs: 0, idleMs: 0, answerBytesMax: 0 };
  const body = requestBody({ model, messages: [], options, ...none });
  if (isFree(price) || boundMicros(price, body, outputTokensMax) !== null) return null;
  return (
    `nothing limits what an answer of model ${model} costs, so no call of it fits budget ${name}. ` +
    'Add to agent.yaml: model: { options: { maxOutputTokens: 4096 } }'
  );
}

/** Name of a budget that may concern the agent's calls: its own limit, as it is now, or another. */
function budgetOf(
  agent: Agent,
  model: string,
  budgets: readonly BudgetTerms[],
): string | undefined {
  const own = maxCostName(agent);
  if (agent.limits.maxCost !== null) return own;
  const concerning = budgets.find(
    (one) =>
      one.name !== own &&
      (one.agent ?? agent.name) === agent.name &&
      (one.model ?? model) === model,
  );
  return concerning?.name;
}
