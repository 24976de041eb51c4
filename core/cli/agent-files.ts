/** What commands have to know of agents beyond their manifests: tool modules and knowledge files. */

import { type Agent, type BrokenAgent, discoverAgents } from '../agent/index.ts';
import type { Session } from './session.ts';

/** All agents; one whose tool modules do not load is broken, like one whose manifest is. */
export async function discoverWithTools(session: Session): ReturnType<typeof discoverAgents> {
  const found = await discoverAgents((await session.config()).agentPaths);
  const checked = await Promise.all(found.agents.map(brokenByTools));
  const broken = checked.filter((one) => one !== null);
  const agents = found.agents.filter((_, index) => checked[index] === null);
  return { agents, broken: [...found.broken, ...broken] };
}

async function brokenByTools(agent: Agent): Promise<BrokenAgent | null> {
  if (agent.tools.length === 0) return null;
  const { toolProblems } = await import('../runtime/index.ts');
  const problems = await toolProblems(agent);
  return problems.length === 0 ? null : { name: agent.name, file: agent.file, problems };
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
