/** Which provider and model each agent uses in this process, and what of it this version cannot do. */

import { type Agent, BrokenAgentError, compileAgent } from '../../agent/index.ts';
import { checkOfflineModel, modelFor, openPriceList, type Provider } from '../../model/index.ts';
import type { RuntimeOptions } from '../options.ts';
import type { ThreadAgent } from '../pool/thread-messages.ts';
import { budgetProblem } from './budgets.ts';
import { rateTermsOf } from './rates.ts';
import { toolProblems } from './tool-problems.ts';

export type AgentChoice = Pick<
  RuntimeOptions,
  'agents' | 'provider' | 'providers' | 'modelFlag' | 'configModel' | 'prices' | 'budgets' | 'log'
>;

type Chosen = Pick<ThreadAgent, 'agent' | 'provider' | 'model'>;

/**
 * Those of the known agents that would be given another definition, provider or model now, made
 * ready; what cannot be used as it is now is left as it was.
 */
export async function changedAgents(
  known: ReadonlyMap<string, ThreadAgent>,
  options: AgentChoice,
): Promise<Map<string, ThreadAgent>> {
  const agents = options.agents.filter((agent) => {
    const before = known.get(agent.name);
    const provider = providerOf(agent, options);
    if (before === undefined || provider === null) return false;
    const now: Chosen = { agent, provider, model: modelOf(agent, provider, options) };
    const { price: _price, outputTokensMax: _tokens, rates: _rates, ...chosenBefore } = before;
    return JSON.stringify(now) !== JSON.stringify(chosenBefore);
  });
  return chooseAgents({ ...options, agents });
}

/**
 * By name. An agent that cannot work here is left out, with a line in the log: its jobs stay queued
 * instead of failing one by one.
 */
export async function chooseAgents(options: AgentChoice): Promise<Map<string, ThreadAgent>> {
  const chosen: Chosen[] = [];
  for (const agent of options.agents) {
    const provider = providerOf(agent, options);
    if (provider === null) {
      const fields = { agent: agent.name, provider: agent.model.provider, file: agent.file };
      options.log.error(fields, 'agent left out: its provider is not configured');
      continue;
    }
    const model = modelOf(agent, provider, options);
    // At another server `aiq-offline` is an id of that server, and not checked here.
    const badModel = provider.kind === 'offline' ? checkOfflineModel(model) : null;
    const broken = badModel ?? (await findProblem(agent));
    if (broken !== null) {
      options.log.error({ agent: agent.name, file: agent.file }, `agent left out: ${broken}`);
      continue;
    }
    chosen.push({ agent, provider, model });
  }
  const list = await openPriceList(options.prices, chosen);
  const priced = chosen.map((one): ThreadAgent => {
    const { price = null, contextTokens = null } = list.find(one) ?? {};
    return { ...one, price, outputTokensMax: contextTokens, rates: rateTermsOf(one) };
  });
  const usable = priced.filter((one) => {
    const problem = budgetProblem(one, options.budgets ?? []);
    const { name, file } = one.agent;
    if (problem !== null) options.log.error({ agent: name, file }, `agent left out: ${problem}`);
    return problem === null;
  });
  return new Map(usable.map((one) => [one.agent.name, one]));
}

async function findProblem(agent: Agent): Promise<string | null> {
  try {
    await compileAgent(agent);
    const problems = await toolProblems(agent, 'run');
    return problems.length === 0 ? null : new BrokenAgentError(agent.name, problems).message;
  } catch (error) {
    if (error instanceof BrokenAgentError) return error.message;
    throw error;
  }
}

function modelOf(agent: Agent, provider: Provider, options: AgentChoice): string {
  return modelFor(provider, options.modelFlag ?? agent.model.id ?? options.configModel ?? null);
}

function providerOf(agent: Agent, { provider, providers }: AgentChoice): Provider | null {
  const name = agent.model.provider;
  if (name === null || name === provider.name) return provider;
  return providers?.[name] ?? null;
}
