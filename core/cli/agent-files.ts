/** Loads and checks agents for commands: templates, tool modules and knowledge included. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Agent,
  BrokenAgentError,
  discoverAgents,
  lintAgent,
  loadAgent,
  type Problem,
  shadowsShipped,
  templateFaults,
} from '../agent/index.ts';
import type { Config } from '../config/index.ts';
import { pathFromHere } from './output/format.ts';
import type { Session } from './session.ts';

/** Notes agents that replace a built-in agent of the same name. */
export function warnOfShadowedAgents({ terminal }: Session, agents: readonly Agent[]): void {
  for (const agent of agents.filter(shadowsShipped)) {
    terminal.note(`agent "${agent.name}" from ${pathFromHere(agent.dir)} ${replacesBuiltIn}`);
  }
}

export const replacesBuiltIn = 'replaces the built-in one';

/**
 * All agents; one with invalid templates or tool modules is broken, like one with a bad manifest.
 * @param how whether tool modules are only parsed, or run, which needs permission
 * @throws TrustError
 */
export async function discoverUsable(
  session: Session,
  how: 'read' | 'run',
): ReturnType<typeof discoverAgents> {
  const config = await (how === 'run' ? session.config() : session.foundConfig());
  warnOfMissingPaths(session, config);
  const found = await discoverAgents(config.agentPaths, config.limits);
  if (how === 'run') await allowJobs(session, found.agents);
  const checked = await Promise.all(
    found.agents.map(async (agent) => ({ agent, problems: await problemsOf(agent, how) })),
  );
  const broken = checked.filter(({ problems }) => problems.length > 0);
  return {
    agents: checked.filter(({ problems }) => problems.length === 0).map(({ agent }) => agent),
    broken: [
      ...found.broken,
      ...broken.map(({ agent: { name, file }, problems }) => ({ name, file, problems })),
    ],
  };
}

/**
 * One agent by name, whose tool modules are run.
 * @throws UnknownAgentError; BrokenAgentError also for templates and tool modules; TrustError
 */
export async function loadUsable(session: Session, name: string): Promise<Agent> {
  const { agentPaths, limits } = await session.config();
  const agent = await loadAgent(name, agentPaths, limits);
  await allowJobs(session, [agent]);
  const faults = await problemsOf(agent, 'run');
  if (faults.length > 0) throw new BrokenAgentError(name, faults);
  return agent;
}

/** Asks for the permissions that jobs of these agents need. @throws TrustError */
async function allowJobs(session: Session, agents: readonly Agent[]): Promise<void> {
  const { jobNeeds } = await import('../trust/index.ts');
  await (await session.trust()).allow(agents.flatMap(jobNeeds));
}

/**
 * Refuses an agent whose tool modules do not load. Modules are run only where that is allowed
 * already: queueing a job is no reason to ask.
 * @throws BrokenAgentError; TrustError when the agent's files are another user's
 */
export async function refuseBrokenTools(session: Session, agent: Agent): Promise<void> {
  const { agentNeeds, jobNeeds } = await import('../trust/index.ts');
  const trust = await session.trust();
  await trust.allow(agentNeeds(agent));
  if (!agent.tools.some((tool) => tool.startsWith('./'))) return;
  const how = trust.missing(jobNeeds(agent)).length === 0 ? 'run' : 'read';
  const { toolProblems } = await import('../runtime/index.ts');
  const problems = await toolProblems(agent, how);
  if (problems.length > 0) throw new BrokenAgentError(agent.name, problems);
}

async function problemsOf(agent: Agent, how: 'read' | 'run'): Promise<Problem[]> {
  const faults = await templateFaults(agent);
  if (agent.tools.length === 0) return faults;
  const { toolProblems } = await import('../runtime/index.ts');
  return [...faults, ...(await toolProblems(agent, how))];
}

/** Warns of configured agent folders that do not exist; the default one need not. */
function warnOfMissingPaths({ terminal }: Session, { agentPaths, baseDir }: Config): void {
  const byDefault = join(baseDir, 'agents');
  for (const path of agentPaths) {
    if (path !== byDefault && !existsSync(path)) {
      terminal.warn(`agentPaths: no such folder: ${path}`);
    }
  }
}

/** The agent with the digests of its knowledge files, which are part of the identity of a job. */
export async function withKnowledge(session: Session, agent: Agent): Promise<Agent> {
  if (agent.knowledge.length === 0) return agent;
  const { baseDir } = await session.config();
  const { leftOutText, pinKnowledge } = await import('../tools/index.ts');
  const pinned = await pinKnowledge(agent, baseDir);
  if (pinned.files === 0) {
    const patterns = agent.knowledge.flatMap(({ include }) => include).join(', ');
    session.terminal.warn(
      `agent "${agent.name}" has no knowledge files: none in ${baseDir} matches ${patterns}`,
    );
  }
  const out = leftOutText(pinned.leftOut ?? []);
  if (out !== '') session.terminal.warn(`agent "${agent.name}" does not search ${out}`);
  return pinned.agent;
}

/** The problems of an agent whose manifest could be read; tool modules are read and not run. */
export async function agentProblems(agent: Agent): Promise<Problem[]> {
  const problems = await lintAgent(agent);
  if (agent.tools.length === 0) return problems;
  const { toolProblems } = await import('../runtime/index.ts');
  return [...problems, ...(await toolProblems(agent, 'read'))];
}
