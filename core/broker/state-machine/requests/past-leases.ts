/**
 * Who had a lease that is over: the records of the ends of a job's leases say it, the last ten of
 * them, also after a restart. Nothing is kept in memory for it.
 */

import type { LeaseToken, Message } from '../../../protocol/index.ts';
import type { Core } from '../context/core.ts';
import { answerUnreadable, type Fetched, outgoing } from '../context/effects.ts';
import { fetchHistory } from '../context/job-view.ts';
import { type RequestContext, refusalFields } from '../context/request.ts';
import { type Journals, notHeld } from './journal-requests.ts';

/** The journals, to be written by sessions that have or had the lease. */
export function journalsOf(core: Core): Journals {
  const { journal: store, blobs, jobs } = core.state;
  return {
    store,
    blobs,
    jobs,
    holds(id, token) {
      const [job, session] = [jobs.get(token.id), core.sessions.get(id)];
      return (
        job !== undefined &&
        session !== undefined &&
        core.leases.held(job, token, session) !== undefined
      );
    },
    lookUp: (caller, fields) => lookUp(core, caller, fields),
  };
}

function lookUp(core: Core, caller: RequestContext, fields: Message<'JournalPut'>): void {
  const { connection, correlationId, session } = caller;
  const last = core.state.jobs.get(fields.token.id)?.last ?? 0;
  const had = (isIts: boolean): readonly Fetched[] => {
    if (isIts) {
      return [
        {
          type: 'event',
          event: { type: 'heldEntry', connection, correlationId, session: session.id, fields },
        },
      ];
    }
    const refusal = outgoing(connection, correlationId, 'Error', refusalFields(notHeld));
    return [{ type: 'send', outgoing: refusal }];
  };
  core.effects.readFor(connection, {
    offsets: [],
    use: () => [fetchPastLease(last, { session: session.id, token: fields.token }, had)],
    // What cannot be read says nothing about who held it.
    unread: answerUnreadable(connection, correlationId),
  });
}

function fetchPastLease(
  last: number,
  { session, token }: { readonly session: string; readonly token: LeaseToken },
  then: (isIts: boolean) => readonly Fetched[],
): Fetched {
  return fetchHistory(last, (history) =>
    then(history.some((end) => end.delivery === token.delivery && end.session === session)),
  );
}
