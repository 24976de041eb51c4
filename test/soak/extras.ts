/** What goes on beside producers and consumers: purges, blobs, looks, and peers that are slow or silent. */

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type JobQueue, newJob } from '../../core/job-queue/index.ts';
import { queueName } from '../crash/broker-cycles/load.ts';
import { Peer, pipelined } from '../hostile/peer.ts';
import type { ClientOracle } from '../oracle/client-oracle.ts';
import type { Promises } from '../oracle/promises.ts';
import type { TendedBroker } from '../support/servers/tended-broker.ts';

export interface Extras {
  readonly queue: JobQueue;
  readonly promises: Promises;
  readonly oracle: ClientOracle;
  readonly broker: TendedBroker;
  readonly random: () => number;
  readonly stop: AbortSignal;
}

const purgedQueue = 'purged';
const purgedJobs = 40;
/** Of what was purged so much is kept as is looked at. */
const purgedKept = 4 * purgedJobs;
const deadLooks = 500;
const blobBytes = 300_000;
const pauseMs = 700;
const slowReadMs = 250;
const reconnectMs = 500;

/** Jobs that nobody consumes are accepted and purged: then every one of them is cancelled. */
export async function purges({ queue, promises, stop, random }: Extras): Promise<void> {
  const settings = { jobsMax: 0, bytesMax: 0, keepMs: 0, keepJobs: purgedKept };
  await again(stop, () => queue.configureQueue(purgedQueue, settings).then(() => true));
  for (let round = 0; !stop.aborted; round++) {
    const input = { round, salt: random() };
    const jobs = Array.from({ length: purgedJobs }, (_, index) =>
      newJob({
        agent: 'a',
        agentDigest: 'ab'.repeat(32),
        queue: purgedQueue,
        input: { ...input, index },
      }),
    );
    const answers = await again(stop, () => queue.enqueue(jobs));
    for (const { id, outcome } of answers ?? []) {
      if (outcome === 'refused') promises.violate(`${id} was refused`);
      else promises.accepted(id);
    }
    if ((await again(stop, () => queue.purge(purgedQueue))) === null) return;
    const page = await again(stop, () => queue.list({ queue: purgedQueue, limit: purgedJobs }));
    const states = new Map(page?.jobs.map(({ id, state }) => [id, state]));
    for (const { id } of page === null ? [] : (answers ?? [])) {
      promises.cancelled(id);
      const state = states.get(id) ?? 'not known';
      if (state !== 'cancelled') promises.violate(`${id} is ${state} after the purge of its queue`);
    }
    await sleep(pauseMs);
  }
}

/** What was stored is read back whole. */
export async function blobs({ queue, promises, stop, random }: Extras): Promise<void> {
  while (!stop.aborted) {
    const content = new Uint8Array(blobBytes).fill(Math.floor(random() * 256));
    new DataView(content.buffer).setFloat64(0, random());
    const ref = await again(stop, () => queue.putBlob(content));
    const back = ref === null ? null : await again(stop, () => queue.getBlob(ref));
    if (back !== null && Buffer.compare(back, content) !== 0) promises.violate('a blob changed');
    await sleep(pauseMs);
  }
}

/**
 * An operator looks at dead letters and throws them away, which nobody else may. One whose consumer still
 * waits for its answer is left: it would be told that the job is cancelled.
 */
export async function clearing({ queue, oracle, stop }: Extras): Promise<void> {
  while (!stop.aborted) {
    const dead = { queue: queueName, state: 'dead', limit: deadLooks } as const;
    const page = await again(stop, () => queue.list(dead));
    const ids = (page?.jobs ?? []).map(({ id }) => id).filter((id) => oracle.isOver(id));
    for (const id of ids) oracle.isIn(id, 'dead');
    if (ids.length > 0) await again(stop, () => queue.cancel(ids));
    await sleep(pauseMs);
  }
}

/** Somebody looks: list, search, counts. */
export async function looks({ queue, stop }: Extras): Promise<void> {
  while (!stop.aborted) {
    await again(stop, () => queue.list({ limit: 500 }));
    await again(stop, () => queue.search({ states: ['dead'], limit: 50 }));
    await again(stop, () => queue.stats());
    await sleep(pauseMs);
  }
}

/** Watches everything and takes a piece of what comes from time to time. */
export async function slowReader({ broker, stop }: Extras): Promise<void> {
  await peers(broker, stop, async (peer) => {
    peer.raw(pipelined(1, 'Watch', { queues: [] }));
    peer.socket.on('data', () => peer.socket.pause());
    while (!peer.isClosed() && !stop.aborted) {
      peer.socket.resume();
      await sleep(slowReadMs);
    }
  });
}

/** Watches everything and reads nothing: it is cut off, and comes again. */
export async function deafReader({ broker, stop }: Extras): Promise<void> {
  await peers(broker, stop, async (peer) => {
    peer.socket.pause();
    peer.raw(pipelined(1, 'Watch', { queues: [] }));
    await sleep(20_000, undefined, { signal: stop }).catch(() => undefined);
  });
}

/** Says Hello and nothing more. */
export async function silentPeer({ broker, stop }: Extras): Promise<void> {
  await peers(broker, stop, async (peer) => {
    while (!peer.isClosed() && !stop.aborted) await sleep(slowReadMs);
  });
}

async function peers(
  broker: TendedBroker,
  stop: AbortSignal,
  work: (peer: Peer) => Promise<void>,
): Promise<void> {
  while (!stop.aborted) {
    const path = join(broker.dir ?? '', 'broker.sock');
    const peer = await Peer.open({ path }).catch(() => null);
    if (peer !== null) await work(peer);
    peer?.close();
    await sleep(reconnectMs);
  }
}

/** Repeats a request until it is answered; null when told to stop before. */
async function again<T>(stop: AbortSignal, ask: () => Promise<T>): Promise<T | null> {
  for (;;) {
    const answer = await ask().catch(() => null);
    if (answer !== null || stop.aborted) return answer;
    await sleep(20);
  }
}
