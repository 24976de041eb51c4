/** Names for completion: agents from their folders, queues and jobs from a running broker. */

import type { Command } from 'commander';
import { type JobQueue, type JobState, shortId } from '../../../job-queue/index.ts';
import { usedText } from '../../output/budget-view.ts';
import type { Session } from '../../session.ts';

/** A word that completion offers. */
export interface Candidate {
  readonly value: string;
  /** One line. */
  readonly description: string;
}

const jobsMax = 50;
/** Longer than this, and typing the id is quicker. */
const answerMs = 1_000;

export async function agentNames(session: Session): Promise<Candidate[]> {
  const { discoverAgents } = await import('../../../agent/index.ts');
  const { agents } = await discoverAgents((await session.config()).agentPaths);
  return agents.map(({ name, description }) => ({ value: name, description }));
}

export async function queueNames(session: Session): Promise<Candidate[]> {
  return withBroker(session, async (queue) => {
    const { queues } = await queue.stats();
    return queues.map((info) => {
      return { value: info.queue, description: `${info.ready} ready, ${info.dead} dead` };
    });
  });
}

/** Those of the configuration, and what else a broker knows. */
export async function budgetNames(session: Session): Promise<Candidate[]> {
  const written = (await session.config()).budgets.map(({ name }) => name);
  const known = await withBroker(session, async (queue) =>
    (await queue.budgets()).map((state) => ({
      value: state.terms.name,
      description: usedText(state),
    })),
  ).catch(() => []);
  const others = written.filter((name) => !known.some(({ value }) => value === name));
  return [...known, ...others.map((value) => ({ value, description: 'not known to the broker' }))];
}

/** The states of the jobs that a command accepts; absent: all. */
const statesOf: { readonly [command: string]: readonly JobState[] } = {
  'dead show': ['dead'],
  'dead retry': ['dead'],
  'jobs retry': ['dead'],
  'jobs result': ['done'],
  'jobs cancel': ['ready', 'delayed', 'leased', 'dead'],
};

/** The newest jobs that the command accepts. */
export async function jobIds(session: Session, command: Command): Promise<Candidate[]> {
  const states = statesOf[`${command.parent?.name() ?? ''} ${command.name()}`];
  return withBroker(session, async (queue) => {
    const { jobs } = await queue.list({ limit: jobsMax });
    return jobs
      .filter(({ state }) => states === undefined || states.includes(state))
      .map(({ id, agent, state, source }) => {
        return { value: shortId(id), description: [agent, state, source].join(' ').trim() };
      });
  });
}

/** Runs a query if a broker is running; starts none. */
async function withBroker(
  session: Session,
  ask: (queue: JobQueue) => Promise<Candidate[]>,
): Promise<Candidate[]> {
  const { broker, brokerTokenFile } = await session.config();
  const { openQueue } = await import('../../../job-queue/index.ts');
  const queue = await openQueue({
    broker,
    tokenFile: brokerTokenFile,
    clientName: `aiq completion ${process.pid}`,
    connectDeadlineMs: answerMs,
    startBroker: false,
  });
  try {
    return await ask(queue);
  } finally {
    await queue.close();
  }
}
