/**
 * A client that comes while others are at work and wants a little of everything: a new queue, a
 * blob, a search, a bulk operation, a delivery. What it is refused, somebody else has used up.
 */

import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LeaseToken } from '../../core/protocol/index.ts';
import { anySearch } from './attacks-of-answers.ts';
import { jobOf, Peer, randomId, type Where } from './peer.ts';

export interface Received {
  served: number;
  /** Why the others were not, and how often. */
  readonly refused: Map<string, number>;
}

const everyMs = 250;
const againMs = 20;
const keptOutMs = 1_000;

/** Newcomers one after the other, until told that it is enough. */
export async function newcomers(unix: Where, isOver: () => boolean): Promise<Received> {
  const received: Received = { served: 0, refused: new Map() };
  while (!isOver()) {
    const seen = await visit(unix, isOver);
    if (seen === 'served') received.served++;
    else if (seen !== 'nothing to say') {
      received.refused.set(seen.refused, (received.refused.get(seen.refused) ?? 0) + 1);
    }
    await sleep(everyMs);
  }
  return received;
}

/** Refusals that pass by themselves: every client tries again. */
const passing = new Set(['EAGAIN', 'TOO_MANY_CONNECTIONS', 'CLOSED']);

/**
 * Tries for as long as others are at work, so that who keeps everybody out is found out. Null when
 * they ended before that could be said.
 */
async function connected(unix: Where, isOver: () => boolean): Promise<Peer | null> {
  for (const startMs = performance.now(); ; await sleep(againMs)) {
    try {
      return await Peer.open(unix);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      const isKeptOut = isOver() && performance.now() - startMs > keptOutMs;
      if (!passing.has(code) || isKeptOut) throw error;
      if (isOver()) return null;
    }
  }
}

type Visit = 'served' | 'nothing to say' | { readonly refused: string };

async function visit(unix: Where, isOver: () => boolean): Promise<Visit> {
  let step = 'Hello';
  let peer: Peer | null = null;
  try {
    peer = await connected(unix, isOver);
    if (peer === null) return 'nothing to say';
    const [queue, id] = [`new-${randomId()}`, randomId()];
    const delivered = Promise.withResolvers<LeaseToken>();
    peer.onDelivery = ({ token }) => delivered.resolve(token);
    step = 'Enqueue';
    await peer.enqueue([jobOf(queue, { id })]);
    step = 'Subscribe';
    await peer.ask('Subscribe', { queues: [queue], credit: 1 });
    const token = await delivered.promise;
    step = 'BlobPut';
    const chunk = randomBytes(100);
    const sha256 = createHash('sha256').update(chunk).digest();
    await peer.ask('BlobPut', { sha256, totalBytes: chunk.length, offset: 0, chunk });
    step = 'Search';
    await peer.ask('Search', { ...anySearch, queue });
    step = 'Stats';
    await peer.ask('Stats', { queues: [queue] });
    step = 'RetryDead';
    await peer.ask('RetryDead', { queue, errorCode: null });
    step = 'Settle';
    const code = await peer.ack(token);
    if (code !== 0) return { refused: `Settle: code ${code}` };
    step = 'Goodbye';
    await peer.ask('Goodbye', {});
    return 'served';
  } catch (error) {
    return { refused: `${step}: ${error instanceof Error ? error.message : String(error)}` };
  } finally {
    peer?.close();
  }
}
