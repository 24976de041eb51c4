/**
 * Which agents may run on extracts that were not asked for. Those that would fill tables and files with
 * invented data may not, nor those whose queue has had real answers: a lost key must not go unnoticed.
 */

import type { Agent } from '../../agent/index.ts';
import { type JobQueue, limits, readNote } from '../../job-queue/index.ts';
import { ProviderError } from '../../model/index.ts';

export interface Fallback {
  readonly agents: readonly Agent[];
  readonly queue: Pick<JobQueue, 'list'>;
  /** The configured provider: an agent that names another one is not concerned. */
  readonly provider: string;
  readonly onWarning: (line: string) => void;
}

const waysOut =
  'Set OPENAI_API_KEY or OPENAI_BASE_URL, start a local model server, or ask for extracts with --provider offline.';

/**
 * The agents that may run; each of the others is refused.
 * @throws ProviderError `no_credentials` when none may
 */
export async function extractingAgents(fallback: Fallback): Promise<readonly Agent[]> {
  const { agents, onWarning } = fallback;
  const refusals = await Promise.all(agents.map((agent) => refusalOf(agent, fallback)));
  const refused = refusals.filter((refusal) => refusal !== null);
  if (refused.length === agents.length && agents.length > 0) {
    throw new ProviderError('no_credentials', `${refused.join('; ')}. ${waysOut}`);
  }
  if (refused.length > 0) onWarning(`left out: ${refused.join('; ')}. ${waysOut}`);
  return agents.filter((_, index) => refusals[index] === null);
}

async function refusalOf(agent: Agent, { queue, provider }: Fallback): Promise<string | null> {
  const own = agent.model.provider;
  if (own !== null && own !== provider) return null;
  const start = `agent "${agent.name}": there is no model provider, and`;
  if (!agent.output.extracts)
    return `${start} extracts would be invented data in its ${agent.output.format}`;
  const isReal = await hasRealAnswer(queue, agent.queue);
  return isReal ? `${start} its queue has had real answers` : null;
}

/** Over all finished jobs that the broker still knows: extracts that were asked for may be the newest. */
async function hasRealAnswer(queue: Fallback['queue'], name: string): Promise<boolean> {
  let next: number | null = 0;
  while (next !== null) {
    const cursor: { before?: number } = next === 0 ? {} : { before: next };
    const page = await queue.list({
      queue: name,
      state: 'done',
      limit: limits.listRowsMax,
      ...cursor,
    });
    if (page.jobs.some(({ note }) => (readNote(note).provider ?? 'offline') !== 'offline'))
      return true;
    next = page.next;
  }
  return false;
}
