/** Inspect, List, Result and Wait: requests that read jobs and change none. */

import { idTextLength, isId, isIdPrefix, limits, type Message } from '../../../protocol/index.ts';
import type { Core } from '../context/core.ts';
import { answerUnreadable, type Fetched, outgoing } from '../context/effects.ts';
import {
  fetchHistory,
  fetchInfos,
  inFrames,
  type JobView,
  sessionMark,
  viewOf,
} from '../context/job-view.ts';
import { type Request, refuse } from '../context/request.ts';
import { JobRecordReader, leaseEndOf } from '../records/job-record-reader.ts';
import { isFinished, isTerminal, type JobEntry } from '../state/job-entry.ts';

const inspectRowsMax = 10;
/** Rows that one List scans; a page may be short and still have a next one. */
const listScanMax = 10_000;

/** Jobs whose id begins with the text, at most ten, each with its history. */
export function inspect(request: Request<'Inspect'>): void {
  const { core } = request;
  const { idPrefix, withJob } = request.fields;
  if (idPrefix.length === 0 || idPrefix.length > idTextLength || !isIdPrefix(idPrefix)) {
    refuse(request, 'BAD_REQUEST', 'idPrefix must be 1 to 26 characters of base32');
    return;
  }
  const jobs = jobsWithPrefix(core, idPrefix);
  if (jobs === null) {
    refuse(request, 'BAD_REQUEST', 'too many ids begin almost like idPrefix; give the whole id');
    return;
  }
  const bytes = jobs.reduce((sum, job) => sum + job.jobBytes, 0);
  if (withJob && bytes > limits.frameBytesMax / 2 && jobs.length > 1) {
    refuse(request, 'BAD_REQUEST', 'the jobs are too large for one answer; give a longer idPrefix');
    return;
  }
  const views = jobs.map((job) => viewOf(core.state.jobs, job));
  const held = jobs.map((job) => !isTerminal(job.state));
  const rows: Message<'InspectOk'>['jobs'] = [];
  const next = (index: number): readonly Fetched[] => {
    const view = views[index];
    if (view === undefined) {
      const { connection, correlationId } = request;
      const answer = outgoing(connection, correlationId, 'InspectOk', { jobs: rows });
      return [{ type: 'send', outgoing: answer }];
    }
    const withInfo = fetchInfos([view], (infos) => {
      const addRow = (
        history: Message<'InspectOk'>['jobs'][number]['history'],
        job: Uint8Array | null,
      ) => {
        const marked = history.map((end) => ({
          ...end,
          session: sessionMark(end.session, core.options.newHash),
        }));
        for (const info of infos) rows.push({ info, job, history: marked });
        return next(index + 1);
      };
      const wanted = withJob && held[index] === true;
      return [
        fetchHistory(view.last, (history) => [
          {
            type: 'fetch',
            fetch: {
              offsets: wanted ? [view.base] : [],
              use: ([record]) =>
                addRow(history, record ? new JobRecordReader().find(record, view).encoded : null),
            },
          },
        ]),
      ];
    });
    return [{ type: 'fetch', fetch: withInfo }];
  };
  const unread = answerUnreadable(request.connection, request.correlationId);
  core.effects.readFor(request.connection, { offsets: [], use: () => next(0), unread }, true);
}

/** Null when too many ids begin almost like the text. */
function jobsWithPrefix({ state }: Core, prefix: string): JobEntry[] | null {
  if (prefix.length < idTextLength) return state.jobs.withPrefix(prefix, inspectRowsMax);
  const job = isId(prefix) ? state.jobs.get(prefix) : undefined;
  return job === undefined ? [] : [job];
}

/** A page of jobs, newest first. */
export function list(request: Request<'List'>): void {
  const { core, connection, correlationId, fields: filter } = request;
  const { jobs: store } = core.state;
  if (filter.limit === 0) {
    refuse(request, 'BAD_REQUEST', 'limit is 0: such a page would have no rows and no end');
    return;
  }
  const limit = Math.min(filter.limit, limits.listRowsMax);
  const views: JobView[] = [];
  let seq =
    filter.before === 0 ? store.seqs.highest : Math.min(filter.before - 1, store.seqs.highest);
  let scansLeft = listScanMax;
  // A filter that no job matches needs no scan.
  if (!hasSome(core, filter)) seq = 0;
  while (seq > 0 && views.length < limit && scansLeft > 0) {
    const near = store.seqs.nearest(seq, -1, scansLeft);
    scansLeft -= near.steps;
    seq = near.next;
    const job = store.bySeq(near.seq);
    if (job !== undefined && matches(core, job, filter)) views.push(viewOf(store, job));
  }
  const after = seq > 0 ? seq + 1 : 0;
  const fetch = fetchInfos(views, (infos) => {
    const [jobs = []] = inFrames(infos);
    const cut = views[jobs.length];
    // What did not fit the frame begins the next page.
    const next = cut === undefined ? after : cut.seq + 1;
    const answer = outgoing(connection, correlationId, 'ListOk', { jobs, next });
    return [{ type: 'send', outgoing: answer }];
  });
  const unread = answerUnreadable(connection, correlationId);
  core.effects.readFor(connection, { ...fetch, unread }, true);
}

/** Whether any job matches, as the queues count them. */
function hasSome({ state }: Core, filter: Message<'List'>): boolean {
  const { queues } = state.jobs;
  const one = filter.queue === null ? undefined : queues.find(filter.queue);
  const concerned = filter.queue === null ? queues.all() : one === undefined ? [] : [one];
  for (const { known, counts } of concerned) {
    if ((filter.state === null ? known : counts[filter.state]) > 0) return true;
  }
  return false;
}

function matches({ state }: Core, job: JobEntry, filter: Message<'List'>): boolean {
  if (filter.state !== null && filter.state !== job.state) return false;
  return filter.queue === null || filter.queue === state.jobs.queueOf(job).name;
}

/** What the job's ack brought along; it is there until the job is forgotten. */
export function result(request: Request<'Result'>): void {
  const { id } = request.fields;
  const job = request.core.state.jobs.get(id);
  if (job === undefined) {
    refuse(request, 'NOT_FOUND', 'no such job');
    return;
  }
  if (job.state !== 'done') {
    refuse(request, 'BAD_STATE', `the job is ${job.state}; only a done job has a result`);
    return;
  }
  request.core.effects.fetch(request.connection, request.correlationId, [job.last], ([record]) => ({
    name: 'ResultOk',
    fields: { value: record === undefined ? null : (leaseEndOf(record)?.result ?? null) },
  }));
}

/** Most waits of one connection, and of all, at one time. */
const waitsMax = 10_000;
const waitsMaxOfAll = 100_000;

/** Answers now when the job is finished, else when it will be. */
export function wait(request: Request<'Wait'>): void {
  const { core, connection, correlationId } = request;
  const { id } = request.fields;
  const { waiting, notifications } = core;
  const job = core.state.jobs.get(id);
  const count = waiting.countOf(connection) + notifications.endCountOf(connection);
  const free = waitsMaxOfAll - waiting.count - notifications.endCount;
  if (job === undefined) {
    refuse(request, 'NOT_FOUND', 'no such job');
  } else if (count >= waitsMax) {
    refuse(request, 'BAD_REQUEST', `this connection has ${waitsMax} waits already, its limit`);
  } else if (count >= free / 2) {
    // A part of what is free leaves a part of it free: no client uses it up.
    refuse(
      request,
      'QUEUE_FULL',
      `the broker has ${waitsMaxOfAll - free} waits already; try again later`,
    );
  } else if (isFinished(job.state)) {
    notifications.addEnds(new Map([[connection, [correlationId]]]), () =>
      viewOf(core.state.jobs, job),
    );
  } else {
    waiting.add(id, connection, correlationId);
    core.effects.add({
      type: 'send',
      outgoing: { ...outgoing(connection, correlationId, 'Wait', { id }), bytes: 0 },
    });
  }
}
