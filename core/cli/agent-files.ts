/** What commands have to know of agents beyond their manifests: templates, tool modules, knowledge. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Agent,
  BrokenAgentError,
  discoverAgents,
  loadAgent,
  type Problem,
  templateFaults,
} from '../agent/index.ts';
import type { Config } from '../config/index.ts';
import type { Session } from './session.ts';

/** All agents; one whose templates or tool modules cannot work is broken, like a bad manifest. */
export async function discoverUsable(session: Session): ReturnType<typeof discoverAgents> {
  const config = await session.config();
  warnOfMissingPaths(session, config);
  const found = await discoverAgents(config.agentPaths, config.limits);
  const checked = await Promise.all(
    found.agents.map(async (agent) => ({ agent, problems: await faultsOf(agent) })),
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
 * One agent by name.
 * @throws UnknownAgentError; BrokenAgentError also for templates and tool modules
 */
export async function loadUsable(name: string, { agentPaths, limits }: Config): Promise<Agent> {
  const agent = await loadAgent(name, agentPaths, limits);
  const faults = await faultsOf(agent);
  if (faults.length > 0) throw new BrokenAgentError(name, faults);
  return agent;
}

/**
 * An agent with a tool module that does not load could do none of its jobs. Only such modules are
 * looked at: agents without any need nothing loaded.
 * @throws BrokenAgentError
 */
export async function refuseBrokenTools(agent: Agent): Promise<void> {
  if (!agent.tools.some((tool) => tool.startsWith('./'))) return;
  const { toolProblems } = await import('../runtime/index.ts');
  const problems = await toolProblems(agent);
  if (problems.length > 0) throw new BrokenAgentError(agent.name, problems);
}

async function faultsOf(agent: Agent): Promise<Problem[]> {
  const faults = await templateFaults(agent);
  if (agent.tools.length === 0) return faults;
  const { toolProblems } = await import('../runtime/index.ts');
  return [...faults, ...(await toolProblems(agent))];
}

/** The default folder need not be there; one that somebody named should. */
function warnOfMissingPaths({ terminal }: Session, { agentPaths, baseDir }: Config): void {
  const byDefault = join(baseDir, 'agents');
  for (const path of agentPaths) {
    if (path !== byDefault && !existsSync(path)) {
      terminal.warn(`agentPaths: there is no folder ${path}`);
    }
  }
}

/** The agent as its jobs are made: what it reads is part of what they are. */
export async function withKnowledge(session: Session, agent: Agent): Promise<Agent> {
  if (agent.knowledge.length === 0) return agent;
  const { baseDir } = await session.config();
  const { pinKnowledge } = await import('../tools/index.ts');
  const pinned = await pinKnowledge(agent, baseDir);
  if (pinned.files === 0) {
    const patterns = agent.knowledge.flatMap(({ include }) => include).join(', ');
    session.terminal.warn(
      `agent "${agent.name}" has no files: ${patterns} match none in ${baseDir}`,
    );
  }
  return pinned.agent;
}
