/** `aiq queues list | show | pause | resume | purge`. */

import type { JobQueue } from '../../job-queue/index.ts';
import { confirm } from '../confirm.ts';
import type { ExitName } from '../exit-codes.ts';
import { bulkProgress, countText } from '../progress.ts';
import { findQueue, formatQueueDetails, queueTable } from '../queue-view.ts';
import type { Session } from '../session.ts';

export async function listQueues(session: Session): Promise<ExitName> {
  const { queues } = await (await session.queue()).stats();
  const { terminal } = session;
  if (terminal.json) for (const info of queues) terminal.result(JSON.stringify(info));
  else for (const line of queueTable(queues)) terminal.result(line);
  if (queues.length === 0) terminal.note('no queues: nothing was enqueued yet');
  return 'ok';
}

export async function showQueue(session: Session, name: string): Promise<ExitName> {
  const info = await findQueue(session, name);
  const { terminal } = session;
  if (terminal.json) terminal.result(JSON.stringify(info, null, 2));
  else for (const line of formatQueueDetails(info)) terminal.result(line);
  return 'ok';
}

/** Nothing of the queue is delivered until it is resumed; what runs is finished. */
export async function pauseQueue(session: Session, name: string): Promise<ExitName> {
  await change(session, name, (queue) => queue.pause(name));
  session.terminal.note(`paused ${name}; enqueues go on. Again: aiq queues resume ${name}`);
  return 'ok';
}

export async function resumeQueue(session: Session, name: string): Promise<ExitName> {
  await change(session, name, (queue) => queue.resume(name));
  session.terminal.note(`resumed ${name}`);
  return 'ok';
}

async function change(
  session: Session,
  name: string,
  perform: (queue: JobQueue) => Promise<void>,
): Promise<void> {
  await findQueue(session, name);
  await perform(await session.queue());
  if (!session.terminal.json) return;
  const info = await findQueue(session, name);
  session.terminal.result(JSON.stringify(info, null, 2));
}

/** Cancels the jobs that wait; those that run are finished. */
export async function purgeQueue(
  session: Session,
  name: string,
  flags: { readonly yes?: boolean },
): Promise<ExitName> {
  const { ready, delayed, parked } = await findQueue(session, name);
  const waiting = ready + delayed + parked;
  const jobs = waiting === 1 ? '1 waiting job' : `${waiting} waiting jobs`;
  if (waiting > 0 && flags.yes !== true) {
    await confirm(`Cancel ${jobs} of ${name}?`, `${jobs} of ${name} would be cancelled`);
  }
  const { terminal } = session;
  const progress = bulkProgress(terminal, 'cancelled');
  const removed = await (await session.queue()).purge(name, progress);
  if (terminal.json) terminal.result(JSON.stringify({ queue: name, cancelled: removed }));
  terminal.note(`cancelled ${countText(removed)} of ${name}`);
  return 'ok';
}
