/** What is wrong with an agent that could be read: its files, tool modules among them. None is run. */

import { type Agent, lintAgent, type Problem } from '../agent/index.ts';

export async function agentProblems(agent: Agent): Promise<Problem[]> {
  const problems = await lintAgent(agent);
  if (agent.tools.length === 0) return problems;
  const { toolProblems } = await import('../runtime/index.ts');
  return [...problems, ...(await toolProblems(agent, 'read'))];
}
