/** Stats: the counts of queues, their consumers and their settings. */

import { encodeAhead, type QueueInfo } from '../../../protocol/index.ts';
import type { Now } from '../../events.ts';
import type { Core } from '../context/core.ts';
import type { Fetched } from '../context/effects.ts';
import type { Request } from '../context/request.ts';
import type { Session } from '../context/session.ts';
import { noJobs, noSettings } from '../state/named-queue.ts';

/** Queues, and leases, that one piece of an answer to Stats counts. */
const statsRowsMax = 250;

/** The counts of the named queues, or of all when none is named; made in pieces, since there may be many. */
export function stats(request: Request<'Stats'>): void {
  const { core, connection, correlationId, now } = request;
  const { queues } = request.fields;
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
  const sinceMs = (queue?.ready ?? []).flatMap(({ list }) => {
    const oldest = jobs.at(list.rows.head);
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
  for (let counted = 0; counted < statsRowsMax; ) {
    const session = sessions.pop();
    if (session === undefined) return;
    const { connection, credit, queues, leases } = session;
    counted += 1 + leases.size;
    const served = new Set(connection !== null && credit > 0 ? queues : []);
    for (const { job } of leases.values()) served.add(core.state.jobs.queueOf(job).name);
    for (const queue of served) consumers.set(queue, (consumers.get(queue) ?? 0) + 1);
  }
}
