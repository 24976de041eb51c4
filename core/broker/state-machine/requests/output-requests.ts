/**
 * Output, Unwritten, Folders and Written: what the broker has of the files of results, and which of them
 * consumers still have to write. A settle made them real, so that nothing here needs a lease.
 */

import { limits, type Message } from '../../../protocol/index.ts';
import type { Core } from '../context/core.ts';
import { type Request, refuse, respond } from '../context/request.ts';
import { leaseEndOf } from '../records/job-record-reader.ts';

const foldersMax = 1000;

/** Files that the end of the job's newest lease brought along, and the newest prompts. */
export function output(request: Request<'Output'>): void {
  const { core, connection, correlationId, fields } = request;
  const job = core.state.jobs.get(fields.id);
  if (job === undefined) {
    refuse(request, 'NOT_FOUND', 'no such job');
  } else if (job.last === 0) {
    respond(request, 'OutputOk', { output: null, prompts: null });
  } else {
    const prompted = core.state.jobs.outputs.promptsAt.get(job.slot) ?? job.last;
    const offsets = prompted === job.last ? [job.last] : [job.last, prompted];
    core.effects.fetch(connection, correlationId, offsets, ([last, other]) => {
      const end = last === undefined ? null : leaseEndOf(last);
      const { prompts = null } = (other === undefined ? end : leaseEndOf(other)) ?? {};
      return { name: 'OutputOk', fields: { output: end?.output ?? null, prompts } };
    });
  }
}

/** A page of jobs whose files are still to be written into the folder. */
export function unwritten(request: Request<'Unwritten'>): void {
  const { jobs } = request.core.state;
  const { dir, after, limit } = request.fields;
  if (limit === 0) {
    refuse(request, 'BAD_REQUEST', 'limit is 0: such a page would have no rows and no end');
    return;
  }
  const rowsMax = Math.min(limit, limits.listRowsMax);
  const page: Message<'UnwrittenOk'>['jobs'] = [];
  let last = 0;
  let next = 0;
  for (const { slot, offset, session } of jobs.outputs.folders.get(dir)?.values() ?? []) {
    if (offset <= after) continue;
    if (page.length === rowsMax) {
      next = last;
      break;
    }
    last = offset;
    const id = jobs.at(slot)?.id;
    if (id !== undefined) page.push({ id, held: isConnected(request.core, session) });
  }
  respond(request, 'UnwrittenOk', { jobs: page, next });
}

function isConnected({ sessions }: Core, session: string | null): boolean {
  return session !== null && (sessions.get(session)?.connection ?? null) !== null;
}

export function folders(request: Request<'Folders'>): void {
  const found: Message<'FoldersOk'>['folders'] = [];
  for (const [dir, jobs] of request.core.state.jobs.outputs.folders) {
    if (found.length === foldersMax) break;
    found.push({ dir, unwritten: jobs.size });
  }
  respond(request, 'FoldersOk', { folders: found });
}

/** What is unknown, or known as written, is passed over: a repetition changes nothing. */
export function written(request: Request<'Written'>): void {
  const { core, fields, now } = request;
  const { jobs } = core.state;
  if (fields.jobs.length > limits.batchItemsMax) {
    refuse(request, 'TOO_MANY_ITEMS', `at most ${limits.batchItemsMax} jobs in one message`);
    return;
  }
  if (fields.jobs.some(({ note }) => note.length > limits.noteBytesMax)) {
    refuse(request, 'BAD_REQUEST', 'a note is too long');
    return;
  }
  const seen = new Set<string>();
  const due = fields.jobs.filter(({ id, written: isWritten, note }) => {
    const job = jobs.get(id);
    const isDue =
      job !== undefined &&
      !seen.has(id) &&
      jobs.outputs.isUnwritten(job.slot) &&
      (isWritten || note !== '');
    seen.add(id);
    return isDue;
  });
  if (due.length > 0) core.commit({ kind: 'projected', jobs: due, atMs: now.wallMs });
  respond(request, 'Ok', {});
}
