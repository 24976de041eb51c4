/** What an attack is, and what all of them share. */

import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { Peer, type Where } from './peer.ts';

/** What the preparation left in the broker for its attack: names of jobs and blobs. */
export interface Stock {
  readonly id: string;
  /** SHA-256 of a stored blob, as hex. */
  readonly sha256: string;
}

export const noStock: Stock = { id: '', sha256: '' };

/** Where an attack takes place, and for how long. */
export interface Ground {
  readonly unix: Where;
  readonly tcp: Where;
  readonly stock: Stock;
  isOver(): boolean;
  /** Settles when time is over. */
  readonly over: Promise<void>;
  /** Counts what was done, for the report. */
  count(what: string, times?: number): void;
}

export interface Attack {
  readonly name: string;
  readonly does: string;
  /** It runs as another user of the machine, who has no token and cannot reach the Unix socket. */
  readonly isStranger?: boolean;
  /** Fills the broker beforehand, as honest clients would. */
  prepare?(peer: Peer, where: Where): Promise<Stock>;
  /** Goes on until time is over, whatever the broker does. */
  run(ground: Ground): Promise<void>;
}

/** Waits until so many answers came in all; false when there will be no more. */
export async function answers(peer: Peer, ground: Ground, wanted: number): Promise<boolean> {
  while (peer.answered < wanted) {
    if (peer.isClosed() || ground.isOver()) return false;
    await turn();
  }
  return true;
}

/** A connection that hears nothing more for so long is given up for a new one. */
const lapMs = 3_000;
const refusedMs = 50;

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/**
 * Keeps so many connections at work until time is over. When `work` is done with one, the connection
 * stays for a while, then a new one takes its place, at once when the broker cut it off.
 */
export async function lanes(
  ground: Ground,
  count: number,
  work: (peer: Peer, lane: number) => Promise<void>,
): Promise<void> {
  const walk = async (lane: number): Promise<void> => {
    while (!ground.isOver()) {
      const peer = await Peer.open(ground.unix).catch(() => null);
      if (peer === null) {
        ground.count('turned away');
        await sleep(refusedMs);
        continue;
      }
      ground.count('connections');
      await Promise.race([work(peer, lane).catch(() => undefined), ground.over]);
      await Promise.race([peer.closed(), ground.over, sleep(lapMs)]);
      if (peer.isClosed()) ground.count('cut off');
      ground.count('answers', peer.answered);
      for (const [code, times] of peer.refused) ground.count(code, times);
      peer.close();
    }
  };
  await Promise.all(range(count).map(walk));
}
