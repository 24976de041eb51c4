/** Hints about queues: waiting jobs, missing workers, pauses. */

import type { Agent } from '../agent/index.ts';
import type { JobQueue, QueueInfo } from '../job-queue/index.ts';
import type { Accepted, Submission } from './commands/enqueue/submit.ts';
import type { Session } from './session.ts';

/** The queue's row, or null when the broker does not know it. */
export async function queueInfo(queue: JobQueue, name: string): Promise<QueueInfo | null> {
  const { queues } = await queue.stats([name]);
  return queues.find((info) => info.queue === name) ?? null;
}

/** Warns of waiting jobs in queues that no usable agent here serves. */
export async function warnOfUnserved(session: Session, agents: readonly Agent[]): Promise<void> {
  const served = new Set(agents.map(({ queue }) => queue));
  const { queues } = await (await session.queue()).stats();
  for (const { queue, ready, delayed } of queues) {
    const waiting = ready + delayed;
    if (waiting === 0 || served.has(queue)) continue;
    const jobs = waiting === 1 ? '1 job waits' : `${waiting} jobs wait`;
    session.terminal.warn(
      `${jobs} in queue "${queue}", but no usable agent here serves it. ` +
        `See: aiq jobs list --queue ${queue}`,
    );
  }
}

/** Warns of parked jobs that were made with another definition of their agent, in another folder. */
export async function warnOfForeign(session: Session, agents: readonly Agent[]): Promise<void> {
  const { putAside } = await import('../runtime/index.ts');
  const queue = await session.queue();
  const { queues } = await queue.stats([...new Set(agents.map((agent) => agent.queue))]);
  for (const row of queues.filter(({ parked }) => parked > 0)) {
    const reasons = (await putAside(queue, row.queue)).map(({ errorMessage }) => errorMessage);
    for (const [reason, same] of Map.groupBy(reasons, (text) => text)) {
      const jobs = same.length === 1 ? '1 job waits' : `${same.length} jobs wait`;
      session.terminal.warn(
        `${jobs} in queue "${row.queue}", ${reason}. See: aiq jobs list --queue ${row.queue} --state parked`,
      );
    }
  }
}

/** Prints why jobs do not run yet, before a wait that could last for hours. */
export async function printHeld(
  session: Session,
  agent: Agent,
  accepted: readonly Accepted[],
): Promise<void> {
  const { terminal } = session;
  const heldIn = (state: Accepted['state']): number =>
    accepted.filter((job) => job.state === state).length;
  const [delayed, parked] = [heldIn('delayed'), heldIn('parked')];
  const see = 'See: aiq jobs list --state';
  if (delayed > 0)
    terminal.note(`${delayed} of ${accepted.length} jobs are delayed. ${see} delayed`);
  if (parked > 0)
    terminal.note(
      `${parked} of ${accepted.length} jobs are parked until aiq signal. ${see} parked`,
    );
  const isPaused = (await queueInfo(await session.queue(), agent.queue))?.paused ?? false;
  if (heldIn('ready') > 0 && isPaused) {
    terminal.note(`queue "${agent.queue}" is paused. To resume: aiq queues resume ${agent.queue}`);
  }
}

/** Prints how many jobs were queued, and a hint when no worker is running. */
export async function printQueued(
  session: Session,
  agent: Agent,
  { created, waiting }: Submission,
): Promise<void> {
  const { terminal } = session;
  if (terminal.quiet || terminal.json || waiting === 0) return;
  const info = await queueInfo(await session.queue(), agent.queue);
  if (info === null) return;
  const ahead = Math.max(0, info.ready - created);
  const workers = info.consumers === 1 ? '1 worker' : `${info.consumers} workers`;
  if (created > 0) {
    const jobs = created === 1 ? '1 job' : `${created} jobs`;
    terminal.hint(`queued ${jobs} in ${agent.queue} (${ahead} ahead, ${workers})`);
  }
  if (info.consumers === 0) {
    terminal.note(
      `no worker is running for "${agent.name}". Start one: aiq run --agents ${agent.name}`,
    );
  }
}
