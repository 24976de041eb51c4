/** Searching the history: from the port's optional conditions to requests, page after page. */

import type { Client } from '../../client/index.ts';
import { limits, type Message } from '../../protocol/index.ts';
import type { SearchFilter, SearchPage } from '../port.ts';

const rowsDefault = 100;

type Conditions = Omit<Message<'Search'>, 'after' | 'limit'>;

/** Asks for page after page: one may be short although more jobs fit. */
export async function search(
  client: Pick<Client, 'request'>,
  filter: SearchFilter,
): Promise<SearchPage> {
  const { limit = rowsDefault } = filter;
  const conditions: Conditions = { ...textsOf(filter), ...boundsOf(filter) };
  const jobs: SearchPage['jobs'] = [];
  let after = filter.after ?? '';
  for (;;) {
    const wanted = Math.min(limit - jobs.length, limits.listRowsMax);
    const page = await client.request('Search', { ...conditions, after, limit: wanted });
    jobs.push(...page.jobs);
    after = page.next;
    if (after !== '' && jobs.length < limit) continue;
    return { jobs, next: after === '' ? null : after, offset: page.offset };
  }
}

function textsOf(
  filter: SearchFilter,
): Pick<Conditions, 'queue' | 'agent' | 'tag' | 'text' | 'errorCode'> {
  return {
    queue: filter.queue ?? null,
    agent: filter.agent ?? null,
    tag: filter.tag ?? null,
    text: filter.text ?? null,
    errorCode: filter.errorCode ?? null,
  };
}

function boundsOf({
  states = [],
  sinceMs = 0,
  untilMs = 0,
  costMicrosMin = 0,
}: SearchFilter): Pick<Conditions, 'states' | 'sinceMs' | 'untilMs' | 'costMicrosMin'> {
  return { states: [...states], sinceMs, untilMs, costMicrosMin };
}
