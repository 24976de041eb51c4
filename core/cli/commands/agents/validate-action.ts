/** `aiq agents validate`: prints the problems of agent files. */

import {
  type Agent,
  discoverAgents,
  formatProblem,
  loadAgent,
  schemaFlags,
} from '../../../agent/index.ts';
import { agentProblems } from '../../agent-files.ts';
import type { ExitName } from '../../exit-codes.ts';
import { isHidden } from '../../input/schema-flags.ts';
import { pathFromHere } from '../../output/format.ts';
import type { Terminal } from '../../output/terminal.ts';
import type { Session } from '../../session.ts';

/**
 * Prints every finding, and nothing on standard output when all is well.
 * @param reserved flags that no property can have
 */
export async function validateAgents(
  session: Session,
  names: readonly string[],
  reserved: ReadonlySet<string>,
): Promise<ExitName> {
  const { agentPaths, limits } = await session.foundConfig();
  const found = await discoverAgents(agentPaths, limits);
  const isWanted = ({ name }: { name: string }): boolean =>
    names.length === 0 || names.includes(name);
  await refuseUnknown(session, names, [...found.agents, ...found.broken]);
  const agents = found.agents.filter(isWanted);
  const problems = found.broken.filter(isWanted).flatMap((broken) => broken.problems);
  for (const agent of agents) problems.push(...(await agentProblems(agent)));
  const { terminal } = session;
  for (const agent of agents) warnOfReserved(terminal, agent, reserved);
  for (const problem of problems) {
    terminal.result(terminal.json ? JSON.stringify(problem) : formatProblem(problem));
  }
  if (problems.length > 0) return 'invalid';
  terminal.note(`ok: ${agents.map(({ name }) => name).join(', ')}`);
  return 'ok';
}

/** Warns of properties whose flag is a flag of aiq. */
function warnOfReserved(terminal: Terminal, agent: Agent, reserved: ReadonlySet<string>): void {
  const place = `${pathFromHere(agent.file)}:${agent.input.schemaLine}`;
  for (const known of schemaFlags(agent)) {
    if (!isHidden(agent, known, reserved)) continue;
    const { flag, property } = known;
    terminal.warn(
      `${place}: --${flag} is a flag of aiq; set "${property}" with --set ${property}=…`,
    );
  }
}

/** @throws UnknownAgentError for the first name that no folder has */
async function refuseUnknown(
  session: Session,
  names: readonly string[],
  known: readonly { readonly name: string }[],
): Promise<void> {
  const missing = names.find((name) => !known.some((agent) => agent.name === name));
  if (missing === undefined) return;
  await loadAgent(missing, (await session.foundConfig()).agentPaths);
}
