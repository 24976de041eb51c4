/** Who would do the jobs of a command for real: results of others may not count any more. */

import type { Agent } from '../agent/index.ts';
import type { ChosenProvider } from '../queue/index.ts';
import type { Session } from './session.ts';

/** Chosen as `aiq run` would choose it, once, and only when somebody asks. */
export function realProviderOf(session: Session, { model }: Agent): ChosenProvider {
  let chosen: ReturnType<ChosenProvider> | null = null;
  const choose = async (): ReturnType<ChosenProvider> => {
    const { realProvider } = await import('../runtime/index.ts');
    const { provider, providers, model: id } = await session.config();
    const [env, trust] = [await session.environment(), await session.trust()];
    return realProvider({ provider, providers, model: id, env, trust }, model);
  };
  return () => (chosen ??= choose());
}
