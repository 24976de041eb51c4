/** Inspect, List, Result, Stats and Wait: what the broker tells about its jobs. Nothing here changes a job. */

import {
  encodeAhead,
  idTextLength,
  isId,
  isIdPrefix,
  limits,
  type Message,
  type QueueInfo,
} from '../../../protocol/index.ts';
import type { Now } from '../../events.ts';
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
import { type RequestContext, refuse } from '../context/request.ts';
import type { Session } from '../context/session.ts';
import { JobRecordReader, leaseEndOf } from '../records/job-record-reader.ts';
import { isFinished, isOver, type JobEntry } from '../state/job-entry.ts';
import { noJobs, noSettings } from '../state/named-queue.ts';

const inspectRowsMax = 10;
/** Rows that one List looks at; a page may be short and still have a next one. */
const listScanMax = 10_000;

/** What the core knows who asks. */
export type CoreRequestContext = RequestContext & { readonly core: Core };

/** Jobs whose id begins with the text, at most ten, each with its history. */
export function inspect(
  caller: CoreRequestContext,
  { idPrefix, withJob }: Message<'Inspect'>,
): void {
  const { core } = caller;
  if (idPrefix.length === 0 || idPrefix.length > idTextLength || !isIdPrefix(idPrefix)) {
    refuse(caller, 'BAD_REQUEST', 'idPrefix must be 1 to 26 characters of base32');
    return;
  }
  const jobs = jobsWithPrefix(core, idPrefix);
  if (jobs === null) {
    refuse(caller, 'BAD_REQUEST', 'too many ids begin almost like idPrefix; give the whole id');
    return;
  }
  const bytes = jobs.reduce((sum, job) => sum + job.jobBytes, 0);
  if (withJob && bytes > limits.frameBytesMax / 2 && jobs.length > 1) {
    refuse(caller, 'BAD_REQUEST', 'the jobs are too large for one answer; give a longer idPrefix');
    return;
  }
  const pictures = jobs.map((job) => viewOf(core.state.jobs, job));
  const held = jobs.map((job) => !isOver(job.state));
  const rows: Message<'InspectOk'>['jobs'] = [];
  const next = (index: number): readonly Fetched[] => {
    const picture = pictures[index];
    if (picture === undefined) {
      const { connection, correlationId } = caller;
      const answer = outgoing(connection, correlationId, 'InspectOk', { jobs: rows });
      return [{ type: 'send', outgoing: answer }];
    }
    const withInfo = fetchInfos([picture], (infos) => {
      const tell = (
        history: Message<'InspectOk'>['jobs'][number]['history'],
        job: Uint8Array | null,
      ) => {
        const told = history.map((end) => ({
          ...end,
          session: sessionMark(end.session, core.options.newHash),
        }));
        for (const info of infos) rows.push({ info, job, history: told });
        return next(index + 1);
      };
      const wanted = withJob && held[index] === true;
      return [
        fetchHistory(picture.last, (history) => [
          {
            type: 'fetch',
            fetch: {
              offsets: wanted ? [picture.base] : [],
              use: ([record]) =>
                tell(history, record ? new JobRecordReader().find(record, picture).encoded : null),
            },
          },
        ]),
      ];
    });
    return [{ type: 'fetch', fetch: withInfo }];
  };
  const unread = answerUnreadable(caller.connection, caller.correlationId);
  core.effects.readFor(caller.connection, { offsets: [], use: () => next(0), unread }, true);
}

/** Null when too many ids begin almost like the text. */
function jobsWithPrefix({ state }: Core, prefix: string): JobEntry[] | null {
  if (prefix.length < idTextLength) return state.jobs.withPrefix(prefix, inspectRowsMax);
  const job = isId(prefix) ? state.jobs.get(prefix) : undefined;
  return job === undefined ? [] : [job];
}

/** A page of jobs, newest first. */
export function list(caller: CoreRequestContext, request: Message<'List'>): void {
  const { core, connection, correlationId } = caller;
  const { jobs: store } = core.state;
  if (request.limit === 0) {
    refuse(caller, 'BAD_REQUEST', 'limit is 0: such a page would have no rows and no end');
    return;
  }
  const limit = Math.min(request.limit, limits.listRowsMax);
  const pictures: JobView[] = [];
  let seq =
    request.before === 0 ? store.seqs.highest : Math.min(request.before - 1, store.seqs.highest);
  let scansLeft = listScanMax;
  // Whoever asks for what nobody has waits for no look at all jobs.
  if (!hasSome(core, request)) seq = 0;
  while (seq > 0 && pictures.length < limit && scansLeft > 0) {
    const near = store.seqs.nearest(seq, -1, scansLeft);
    scansLeft -= near.looks;
    seq = near.next;
    const job = store.bySeq(near.seq);
    if (job !== undefined && fits(core, job, request)) pictures.push(viewOf(store, job));
  }
  const after = seq > 0 ? seq + 1 : 0;
  const fetch = fetchInfos(pictures, (infos) => {
    const [jobs = []] = inFrames(infos);
    const cut = pictures[jobs.length];
    // What did not fit the frame begins the next page.
    const next = cut === undefined ? after : cut.seq + 1;
    const answer = outgoing(connection, correlationId, 'ListOk', { jobs, next });
    return [{ type: 'send', outgoing: answer }];
  });
  const unread = answerUnreadable(connection, correlationId);
  core.effects.readFor(connection, { ...fetch, unread }, true);
}

/** Whether there is any job as the request wants it, as the queues count them. */
function hasSome({ state }: Core, request: Message<'List'>): boolean {
  const { queues } = state.jobs;
  const one = request.queue === null ? undefined : queues.find(request.queue);
  const concerned = request.queue === null ? queues.all() : one === undefined ? [] : [one];
  for (const { known, counts } of concerned) {
    if ((request.state === null ? known : counts[request.state]) > 0) return true;
  }
  return false;
}

function fits({ state }: Core, job: JobEntry, request: Message<'List'>): boolean {
  if (request.state !== null && request.state !== job.state) return false;
  return request.queue === null || request.queue === state.jobs.queueOf(job).name;
}

/** What the job's ack brought along; it is there until the job is forgotten. */
export function result(caller: CoreRequestContext, { id }: Message<'Result'>): void {
  const job = caller.core.state.jobs.get(id);
  if (job === undefined) {
    refuse(caller, 'NOT_FOUND', 'no such job');
    return;
  }
  if (job.state !== 'done') {
    refuse(caller, 'BAD_STATE', `the job is ${job.state}; only a done job has a result`);
    return;
  }
  caller.core.effects.fetch(caller.connection, caller.correlationId, [job.last], ([record]) => ({
    name: 'ResultOk',
    fields: { value: record === undefined ? null : (leaseEndOf(record)?.result ?? null) },
  }));
}

/** Queues, and leases, that one piece of an answer to Stats looks at. */
const statsRowsMax = 250;

/** The counts of the named queues, or of all when none is named; made in pieces, since there may be many. */
export function stats(caller: CoreRequestContext, { queues }: Message<'Stats'>): void {
  const { core, connection, correlationId, now } = caller;
  const all = core.state.jobs.queues.all();
  const names = queues.length > 0 ? queues : Array.from(all, ({ name }) => name).sort();
  const consumers = new Map<string, number>();
  const sessions = [...core.sessions.values()];
  const infos: QueueInfo[] = [];
  const next = (): readonly Fetched[] => {
    if (sessions.length > 0) countConsumers(core, sessions, consumers);
    else if (infos.length < names.length) {
      const piece = names.slice(infos.length, infos.length + statsRowsMax).map((name) => ({
        ...queueInfo(core, name, now),
        consumers: consumers.get(name) ?? 0,
      }));
      encodeAhead('queue', piece);
      infos.push(...piece);
    } else {
      const logLiveBytes = core.state.logBytes;
      return [{ type: 'stats', stats: { connection, correlationId, queues: infos, logLiveBytes } }];
    }
    return [{ type: 'fetch', fetch: { offsets: [], rows: statsRowsMax, use: next } }];
  };
  core.effects.readFor(connection, { offsets: [], use: next }, true);
}

function queueInfo({ state }: Core, name: string, now: Now): Omit<QueueInfo, 'consumers'> {
  const { jobs } = state;
  const queue = jobs.queues.find(name);
  const { none: _, ...counts } = queue?.counts ?? noJobs;
  const sinceMs = (queue?.ready ?? []).flatMap(({ line }) => {
    const oldest = jobs.at(line.rows.head);
    return oldest === undefined ? [] : [oldest.changedAtMs];
  });
  const { jobsMax, bytesMax, keepMs, keepJobs } = queue?.settings ?? noSettings;
  return {
    queue: name,
    paused: queue?.paused ?? false,
    ...counts,
    oldestReadyMs: sinceMs.length === 0 ? 0 : Math.max(0, now.wallMs - Math.min(...sinceMs)),
    bytes: queue?.bytes ?? 0,
    jobsMax,
    bytesMax,
    keepMs,
    keepJobs,
  };
}

/**
 * By queue: the sessions that are connected with credit for it, or hold leases of it. Takes some of
 * the sessions off the list and adds them.
 */
function countConsumers(core: Core, sessions: Session[], consumers: Map<string, number>): void {
  for (let looks = 0; looks < statsRowsMax; ) {
    const session = sessions.pop();
    if (session === undefined) return;
    const { connection, credit, queues, leases } = session;
    looks += 1 + leases.size;
    const served = new Set(connection !== null && credit > 0 ? queues : []);
    for (const { job } of leases.values()) served.add(core.state.jobs.queueOf(job).name);
    for (const queue of served) consumers.set(queue, (consumers.get(queue) ?? 0) + 1);
  }
}

/** Waits of one connection, and of all, that may stand at one time. */
const waitsMax = 10_000;
const waitsMaxOfAll = 100_000;

/** Answers now when the job is finished, else when it will be. */
export function wait(caller: CoreRequestContext, { id }: Message<'Wait'>): void {
  const { core, connection, correlationId } = caller;
  const { waiting, notifications } = core;
  const job = core.state.jobs.get(id);
  const count = waiting.countOf(connection) + notifications.endCountOf(connection);
  const free = waitsMaxOfAll - waiting.count - notifications.endCount;
  if (job === undefined) {
    refuse(caller, 'NOT_FOUND', 'no such job');
  } else if (count >= waitsMax) {
    refuse(caller, 'BAD_REQUEST', `this connection waits ${waitsMax} times already, its limit`);
  } else if (count >= free / 2) {
    // A part of what is free leaves a part of it free: no client uses it up.
    refuse(caller, 'QUEUE_FULL', `${waitsMaxOfAll - free} waits stand already; try again later`);
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
