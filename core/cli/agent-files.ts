/** What commands have to know of agents beyond their manifests: templates, tool modules, knowledge. */

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

/** Says which agents are not those that ship with aiq, although they have their names. */
export function warnOfShadowedAgents({ terminal }: Session, agents: readonly Agent[]): void {
  for (const agent of agents.filter(shadowsShipped)) {
    terminal.note(
      `agent "${agent.name}" is that of ${pathFromHere(agent.dir)}, ${replacesBuiltIn}`,
    );
  }
}

export const replacesBuiltIn = 'in place of the one that comes with aiq';

/**
 * All agents; one whose templates or tool modules cannot work is broken, like a bad manifest.
 * @param how whether tool modules are read, or run, which asks for that first
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
    found.agents.map(async (agent) => ({ agent, problems: await faultsOf(agent, how) })),
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
  const faults = await faultsOf(agent, 'run');
  if (faults.length > 0) throw new BrokenAgentError(name, faults);
  return agent;
}

/** Asks for what doing the jobs of these agents needs. @throws TrustError */
async function allowJobs(session: Session, agents: readonly Agent[]): Promise<void> {
  const { jobNeeds } = await import('../trust/index.ts');
  await (await session.trust()).allow(agents.flatMap(jobNeeds));
}

/**
 * An agent with a tool module that does not load could do none of its jobs. Only such modules are
 * looked at: agents without any need nothing loaded. They are run where that is allowed already;
 * queueing a job alone is no reason to ask.
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

async function faultsOf(agent: Agent, how: 'read' | 'run'): Promise<Problem[]> {
  const faults = await templateFaults(agent);
  if (agent.tools.length === 0) return faults;
  const { toolProblems } = await import('../runtime/index.ts');
  return [...faults, ...(await toolProblems(agent, how))];
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
  const { leftOutText, pinKnowledge } = await import('../tools/index.ts');
  const pinned = await pinKnowledge(agent, baseDir);
  if (pinned.files === 0) {
    const patterns = agent.knowledge.flatMap(({ include }) => include).join(', ');
    session.terminal.warn(
      `agent "${agent.name}" has no files: ${patterns} match none in ${baseDir}`,
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
