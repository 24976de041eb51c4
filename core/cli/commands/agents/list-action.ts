/** `aiq agents list`: prints all agents, broken ones too. */

import {
  type Agent,
  type BrokenAgent,
  formatProblem,
  shadowsShipped,
} from '../../../agent/index.ts';
import { discoverUsable, replacesBuiltIn } from '../../agent-files.ts';
import type { ExitName } from '../../exit-codes.ts';
import { formatTable, pathFromHere } from '../../output/format.ts';
import { outputWidth } from '../../output/terminal.ts';
import type { Session } from '../../session.ts';

export async function listAgents(session: Session): Promise<ExitName> {
  const { agents, broken } = await discoverUsable(session, 'read');
  const { terminal } = session;
  if (terminal.json) {
    for (const agent of agents) terminal.result(JSON.stringify(agentJson(agent)));
    for (const agent of broken) terminal.result(JSON.stringify(agent));
    return 'ok';
  }
  const rows = [...agents.map(agentRow), ...broken.map(brokenRow)].sort(byName);
  for (const line of formatTable(['NAME', 'QUEUE', 'FROM', 'DESCRIPTION'], rows, outputWidth())) {
    terminal.result(line);
  }
  return 'ok';
}

function byName([left = '']: readonly string[], [right = '']: readonly string[]): number {
  return left < right ? -1 : 1;
}

function agentRow(agent: Agent): string[] {
  const dir = pathFromHere(agent.dir);
  const from = agent.builtIn
    ? 'built in'
    : shadowsShipped(agent)
      ? `${dir} (${replacesBuiltIn})`
      : dir;
  return [agent.name, agent.queue, from, agent.description];
}

function brokenRow({ name, file, problems }: BrokenAgent): string[] {
  const [first] = problems;
  const reason = first === undefined ? 'broken' : `broken: ${formatProblem(first)}`;
  return [name, '-', pathFromHere(file), reason];
}

function agentJson({
  name,
  queue,
  description,
  version,
  file,
  builtIn,
  digest,
  input,
}: Agent): unknown {
  const shadows = shadowsShipped({ name, builtIn });
  const inputSchema = input.schema;
  return { name, queue, description, version, file, builtIn, shadows, digest, inputSchema };
}
