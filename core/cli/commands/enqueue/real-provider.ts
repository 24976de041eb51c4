/** Who would do the jobs of a command for real: results of others may not count any more. */

import type { Agent } from '../../../agent/index.ts';
import type { ChosenProvider } from '../../../job-queue/index.ts';
import type { Trust } from '../../../trust/index.ts';
import type { Session } from '../../session.ts';

/** Chosen as `aiq run` would choose it, once, and only when somebody asks. */
export function realProviderOf(session: Session, agent: Agent): ChosenProvider {
  return once(async () => choose(session, agent, await session.trust()));
}

/** The model that the agent would use now, as far as that can be told without asking anybody. */
export function presentModelOf(session: Session, agent: Agent): () => Promise<string | null> {
  return once(async () => {
    const { silent } = await session.trust();
    const chosen = await choose(session, agent, silent).catch(() => null);
    return chosen?.model ?? null;
  });
}

async function choose(
  session: Session,
  { model }: Agent,
  trust: Trust,
): ReturnType<ChosenProvider> {
  const { realProvider } = await import('../../../runtime/index.ts');
  const { provider, providers, model: id } = await session.config();
  const env = await session.environment();
  return realProvider({ provider, providers, model: id, env, trust }, model);
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => (made ??= work());
}
