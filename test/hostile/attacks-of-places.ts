/** Attacks that take places which others need, and keep them: waits, leases, uploads, names, connections. */

import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LeaseToken } from '../../core/protocol/index.ts';
import { type Attack, answers, lanes, noStock, range } from './attack.ts';
import { anySearch, stockJobs } from './attacks-of-answers.ts';
import { jobOf, Peer, pipelined, randomId } from './peer.ts';

const uploadsOfSession = 64;
const hour = 3_600_000;

const waits: Attack = {
  name: 'waits',
  does: '10,000 Wait for one job on each of 100 connections, then the job is cancelled',
  run: async (ground) => {
    const id = randomId();
    const requests = pipelined(10_000, 'Wait', { id });
    const owner = await Peer.open(ground.unix);
    await owner.enqueue([jobOf('awaited', { id, parkKey: 'never' })]);
    const cancelled = sleep(1_500).then(() => owner.ask('Cancel', { ids: [id] }));
    await lanes(ground, 100, (peer) => peer.flood(requests));
    await cancelled.catch(() => undefined);
    owner.close();
  },
};

const uploads: Attack = {
  name: 'blobs',
  does: '16 sessions begin 64 uploads each, finish none and say Goodbye',
  run: (ground) =>
    lanes(ground, 16, async (peer) => {
      const begun = range(uploadsOfSession).map(() => {
        const sha256 = createHash('sha256').update(randomBytes(16)).digest();
        return peer.ask('BlobPut', { sha256, totalBytes: 1_000, offset: 0, chunk: sha256 });
      });
      for (const end of await Promise.allSettled(begun)) ground.count(`upload ${end.status}`);
      await peer.ask('Goodbye', {});
    }),
};

const leases: Attack = {
  name: 'leases',
  does: '20 sessions hold 1,000 leases each and renew them without a pause',
  prepare: async (peer) => {
    await stockJobs(peer, 'hoarded', 20_000);
    return noStock;
  },
  run: (ground) =>
    lanes(ground, 20, async (peer) => {
      const tokens: LeaseToken[] = [];
      peer.onDelivery = ({ token }) => {
        tokens.push(token);
        ground.count('leases');
      };
      await peer.ask('Subscribe', { queues: ['hoarded'], credit: 1_000 });
      while (!peer.isClosed() && !ground.isOver()) {
        if (tokens.length === 0) await sleep(10);
        else await peer.ask('Extend', { tokens: tokens.slice(0, 1_000) });
        ground.count('renewals', tokens.length);
      }
    }),
};

const greedy: Attack = {
  name: 'greedy',
  does: 'one consumer with 1,000 places takes jobs of 60 kB and hands them back, again and again',
  prepare: async (peer) => {
    await stockJobs(peer, 'wanted', 1_000, 60_000);
    return noStock;
  },
  run: (ground) =>
    lanes(ground, 1, async (peer) => {
      peer.onDelivery = () => ground.count('deliveries');
      await peer.ask('Subscribe', { queues: ['wanted'], credit: 1_000 });
      await sleep(200);
      await peer.ask('Goodbye', {});
    }),
};

/** More of them than the broker takes at a time, each over jobs that are not dead. */
const bulks: Attack = {
  name: 'bulk',
  does: '1,000 bulk operations of one client in one write, and again when they are answered',
  prepare: async (peer) => {
    await stockJobs(peer, 'looked-at', 20_000);
    return noStock;
  },
  run: (ground) => {
    const retries = pipelined(500, 'RetryDead', { queue: null, errorCode: null });
    const signals = pipelined(500, 'Signal', (index) => ({ key: `key-${index}` }), 502);
    return lanes(ground, 1, async (peer) => {
      const bytes = Buffer.concat([retries, signals]);
      do await peer.flood(bytes);
      while (await answers(peer, ground, peer.answered + 1_000));
    });
  },
};

const searches: Attack = {
  name: 'searches',
  does: '64 Search of 1,000 rows in the pipeline of one client, every answer read',
  prepare: async (peer) => {
    await stockJobs(peer, 'searched', 5_000);
    return noStock;
  },
  run: (ground) => {
    const bytes = pipelined(64, 'Search', anySearch);
    return lanes(ground, 1, async (peer) => {
      do await peer.flood(bytes);
      while (await answers(peer, ground, peer.answered + 64));
    });
  },
};

const fill: Attack = {
  name: 'fill',
  does: 'one client opens as many connections as it gets, and keeps them',
  run: async (ground) => {
    const held: Peer[] = [];
    await Promise.all(
      range(1_100).map(async () => {
        const peer = await Peer.open(ground.unix).catch(() => null);
        if (peer === null) ground.count('turned away');
        else held.push(peer);
      }),
    );
    ground.count('connections', held.length);
    await ground.over;
    ground.count('cut off', held.filter((peer) => peer.isClosed()).length);
    for (const peer of held) peer.close();
  },
};

const idle: Attack = {
  name: 'idle',
  does: '500 connections that say Hello and nothing more',
  run: (ground) =>
    lanes(ground, 500, async () => {
      await ground.over;
    }),
};

const pauseNames: Attack = {
  name: 'pausenames',
  does: '9,999 Pause of queues that nobody uses, then as many by ConfigureQueue',
  run: (ground) =>
    lanes(ground, 1, async (peer) => {
      const life = randomId();
      const rest = { jobsMax: 1, bytesMax: 0, keepMs: hour, keepJobs: 0 };
      for (const bytes of [
        pipelined(9_999, 'Pause', (index) => ({ queue: `p-${life}-${index}` })),
        pipelined(9_999, 'ConfigureQueue', (index) => ({ queue: `c-${life}-${index}`, ...rest })),
      ]) {
        const wanted = peer.answered + 9_999;
        await peer.flood(bytes);
        await answers(peer, ground, wanted);
      }
    }),
};

const queueNames: Attack = {
  name: 'queuenames',
  does: 'jobs for 1,000 new queues at a time, cancelled as soon as they are accepted',
  run: (ground) =>
    lanes(ground, 1, async (peer) => {
      while (!peer.isClosed() && !ground.isOver()) {
        const life = randomId();
        const ids = range(1_000).map(() => randomId());
        await peer.enqueue(ids.map((id, index) => jobOf(`n-${life}-${index}`, { id })));
        await peer.ask('Cancel', { ids });
        ground.count('names', ids.length);
      }
    }),
};

/** They hold a lease for as long as a session that may come back has. */
const gone: Attack = {
  name: 'gone',
  does: 'sessions that take a lease and vanish, one after the other on 20 connections',
  prepare: async (peer) => {
    await stockJobs(peer, 'left', 2_000);
    return noStock;
  },
  run: (ground) =>
    lanes(ground, 20, async (peer) => {
      peer.onDelivery = () => {
        ground.count('leases');
        peer.close();
      };
      await peer.ask('Subscribe', { queues: ['left'], credit: 1 });
    }),
};

/** Four MiB each, as many as a connection may have unanswered. */
const pipelines: Attack = {
  name: 'pipelines',
  does: 'frames of 4 MB with jobs on 4 connections, without a pause, no answer read',
  run: (ground) =>
    lanes(ground, 4, async (peer) => {
      peer.socket.pause();
      for (let sent = 0; !peer.isClosed() && !ground.isOver() && sent < 100; sent++) {
        const jobs = range(4).map(() => jobOf('heavy', { bodyBytes: 1_000_000 }));
        await peer.flood(pipelined(1, 'Enqueue', { atomic: false, jobs }, 2 + sent));
        ground.count('frames');
      }
    }),
};

export const attacksOfPlaces: readonly Attack[] = [
  waits,
  uploads,
  leases,
  greedy,
  bulks,
  searches,
  fill,
  idle,
  pauseNames,
  queueNames,
  gone,
  pipelines,
];
