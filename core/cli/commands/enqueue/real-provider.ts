/** The provider and model that `aiq run` would use, which decide whether an extract still counts. */

import type { Agent } from '../../../agent/index.ts';
import type { ChosenProvider } from '../../../job-queue/index.ts';
import type { Trust } from '../../../trust/index.ts';
import type { Session } from '../../session.ts';
import type { SenderOptions } from './submit.ts';

/** How jobs of the agent are sent and reported in this session. */
export function senderOptions(
  session: Session,
  agent: Agent,
  how: Pick<SenderOptions, 'wait' | 'openBatch'> & { readonly single?: boolean },
): SenderOptions {
  return {
    single: false,
    ...how,
    terminal: session.terminal,
    provider: realProviderOf(session, agent),
    presentModel: presentModelOf(session, agent),
    queue: () => session.queue(),
  };
}

/** Chooses as `aiq run` does, once, on first use. */
function realProviderOf(session: Session, agent: Agent): ChosenProvider {
  return once(async () => choose(session, agent, await session.trust()));
}

/** The model that the agent would use now; null if that takes a permission that is missing. */
function presentModelOf(session: Session, agent: Agent): () => Promise<string | null> {
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
