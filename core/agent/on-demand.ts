/** Functions that need Handlebars; their modules load on first use, so that listing agents stays quick. */

import type { Agent, CompiledAgent, Problem } from './agent.ts';

/**
 * An agent ready to run: schemas and templates compiled.
 * @throws BrokenAgentError when a template cannot work
 */
export async function compileAgent(agent: Agent): Promise<CompiledAgent> {
  const module = await import('./compile.ts');
  return module.compileAgent(agent);
}

/** Templates that cannot work, whatever the job: what makes a readable agent unusable. */
export async function templateFaults(agent: Agent): Promise<Problem[]> {
  const module = await import('./compile.ts');
  return module.templateFaults(agent);
}

/** Everything that can be found without running the agent; its folder is read again. */
export async function lintAgent(agent: Agent): Promise<Problem[]> {
  const module = await import('./lint.ts');
  return module.lintAgent(agent);
}
