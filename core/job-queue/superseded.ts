/** A job that was superseded has no outcome of its own: who asks for it gets that of the job in its place. */

import { AiqError, type JobInfo } from '../protocol/index.ts';
import { readNote } from './describe-job.ts';
import type { JobQueue } from './port.ts';

/** More definitions than anybody changes while a job waits. */
const hopsMax = 1_000;

/** Id of the job that does the work of this one; null for one that is done itself, or not yet. */
export function supersededBy({ state, note }: Pick<JobInfo, 'state' | 'note'>): string | null {
  return state === 'done' ? (readNote(note).supersededBy ?? null) : null;
}

/** The queue, whose waits and results are those of the jobs that do the work in the end. */
export function followingSuperseded(queue: JobQueue): JobQueue {
  return {
    ...queue,
    async wait(id, signal) {
      let info = await queue.wait(id, signal);
      for (let hops = 0; hops < hopsMax; hops++) {
        const next = supersededBy(info);
        if (next === null) break;
        info = await queue.wait(next, signal);
      }
      return info;
    },
    async result(id) {
      const last = await standIn(queue, id);
      return queue.result(last);
    },
  };
}

/** Id of the job that does the work of this one in the end; its own for most. */
export async function standIn(queue: Pick<JobQueue, 'inspect'>, id: string): Promise<string> {
  let last = id;
  for (let hops = 0; hops < hopsMax; hops++) {
    const [found] = await queue.inspect(last);
    const next = found === undefined ? null : supersededBy(found.info);
    if (next === null) return last;
    last = next;
  }
  throw new AiqError('BAD_STATE', `job ${id} was superseded too often`);
}
