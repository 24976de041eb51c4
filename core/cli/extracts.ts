/**
 * Extracts are no answers: a job that the offline endpoint did counts as done only as long as there is
 * no real provider. Once there is one, the same command makes the job that follows on it.
 */

import type { Agent } from '../agent/index.ts';
import { type Enqueued, isExtract, type Job, type JobInfo, jobAfter } from '../queue/index.ts';
import type { Session } from './session.ts';

/** Name of the provider that would do the agent's jobs now; null where that would be the offline endpoint. */
export type RealProvider = () => Promise<string | null>;

/** Chosen as `aiq run` would choose it, once, and only when somebody asks. */
export function realProvider(session: Session, agent: Agent): RealProvider {
  let chosen: Promise<string | null> | null = null;
  return () => (chosen ??= choose(session, agent));
}

async function choose(session: Session, agent: Agent): Promise<string | null> {
  const { chooseProvider, ProviderError } = await import('../model/index.ts');
  const { useNeeds } = await import('../trust/index.ts');
  const { provider, providers, model } = await session.config();
  const own = agent.model.provider;
  try {
    const choice = await chooseProvider({
      provider: own ?? provider,
      providers,
      model: own === null ? model : null,
      env: await session.environment(),
      allow: async (use) => (await session.trust()).allow(useNeeds(use)),
    });
    return choice.provider === 'offline' ? null : choice.provider.name;
  } catch (error) {
    // What cannot be used as it is configured does no job either.
    if (error instanceof ProviderError) return null;
    throw error;
  }
}

export interface Sending {
  /** Enqueues, in order. */
  readonly enqueue: (jobs: readonly Job[]) => Promise<readonly Enqueued[]>;
  /** Where the jobs of these answers stand that were known already, by id. */
  readonly known: (answers: readonly Enqueued[]) => Promise<ReadonlyMap<string, JobInfo>>;
  readonly provider: RealProvider;
}

export interface Sent {
  readonly answers: readonly Enqueued[];
  readonly known: ReadonlyMap<string, JobInfo>;
  /** How many of them follow on an extract, and the provider that does them for real. */
  readonly again: { readonly jobs: number; readonly provider: string };
}

/** Enqueues the jobs; in the place of each that is done as an extract comes the one that follows on it. */
export async function sendJobs(jobs: readonly Job[], sending: Sending): Promise<Sent> {
  const answers = [...(await sending.enqueue(jobs))];
  const known = new Map(await sending.known(answers));
  const latest = [...jobs];
  let again = { jobs: 0, provider: '' };
  for (;;) {
    const extracts = answers.flatMap(({ id }, index) => {
      const info = known.get(id);
      return info !== undefined && isExtract(info) ? [index] : [];
    });
    const provider = extracts.length === 0 ? null : await sending.provider();
    if (provider === null) return { answers, known, again };
    const next = extracts.flatMap((index) => latest[index] ?? []).map(jobAfter);
    const news = await sending.enqueue(next);
    for (const [id, info] of await sending.known(news)) known.set(id, info);
    for (const [at, index] of extracts.entries()) {
      const [job, answer] = [next[at], news[at]];
      if (job === undefined || answer === undefined) continue;
      latest[index] = job;
      answers[index] = answer;
      if (answer.outcome === 'created') again = { jobs: again.jobs + 1, provider };
    }
  }
}
