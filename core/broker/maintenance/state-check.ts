/** Checks records by replaying them into the broker's state, which refuses what a start would refuse. */

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Replay } from '../log/contract.ts';
import { decodeRecord } from '../state-machine/records/records.ts';
import { BrokerState } from '../state-machine/state/broker-state.ts';

/** Throws at a record that contradicts those before it. */
export interface RecordCheck extends Replay {
  /** The jobs of all records together; throws when something that they refer to is missing. */
  finish(): JobCounts;
}

export interface JobCounts {
  /** Jobs that are neither finished nor dead. */
  readonly live: number;
  readonly dead: number;
  /** Done and cancelled jobs that are still known. */
  readonly finished: number;
}

export function startStateCheck(): RecordCheck {
  const state = new BrokerState({ crc32, newHash: () => createHash('sha256') });
  return {
    begin: (compactedUpTo) => state.beginReplay(compactedUpTo),
    record: (bytes, offset) => state.apply(decodeRecord(bytes), { offset, bytes: bytes.length }),
    finish: () => {
      state.afterReplay();
      state.blobs.afterReplay();
      return countJobs(state);
    },
  };
}

function countJobs({ jobs }: BrokerState): JobCounts {
  const counts = { live: 0, dead: 0, finished: 0 };
  for (const queue of jobs.queues.all()) {
    const { delayed, ready, leased, parked, dead, done, cancelled } = queue.counts;
    counts.live += delayed + ready + leased + parked;
    counts.dead += dead;
    counts.finished += done + cancelled;
  }
  return counts;
}
