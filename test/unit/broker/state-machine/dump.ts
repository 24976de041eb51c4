/** The whole state that a log makes, as plain data, so that two ways to it can be compared. */

import type { Now } from '../../../../core/broker/events.ts';
import { Core } from '../../../../core/broker/state-machine/context/core.ts';
import { wakeDelayed } from '../../../../core/broker/state-machine/lifecycle/deadlines.ts';
import type { PlacedRecord } from '../../../../core/broker/state-machine/records/family.ts';
import { decodeRecord } from '../../../../core/broker/state-machine/records/records.ts';
import type { BrokerState } from '../../../../core/broker/state-machine/state/broker-state.ts';
import type { JobEntry } from '../../../../core/broker/state-machine/state/job-entry.ts';
import type { RowList } from '../../../../core/broker/state-machine/table/row-list.ts';
import { testOptions } from './driver.ts';

/** Records of a log with their offsets. */
export function placed(log: readonly Uint8Array[]): PlacedRecord[] {
  return log.map((bytes, index) => ({ offset: index + 1, bytes }));
}

/** Replays records as a start does and dumps what they make. */
export function dumpOf(records: Iterable<PlacedRecord>, now: Now, compactedUpTo = 0): unknown {
  const core = new Core(testOptions);
  core.state.beginReplay(compactedUpTo);
  const touched = { blobs: new Set<string>(), entries: new Map<string, [string, Uint8Array]>() };
  for (const { offset, bytes } of records) {
    const record = decodeRecord(bytes);
    core.state.apply(record, { offset, bytes: bytes.length });
    if (record.kind === 'blobChunk') touched.blobs.add(Buffer.from(record.sha256).toString('hex'));
    if (record.kind === 'journaled') {
      const { id, callHash } = record;
      touched.entries.set(`${id} ${Buffer.from(callHash).toString('hex')}`, [id, callHash.slice()]);
    }
  }
  wakeDelayed(core, now, Number.POSITIVE_INFINITY);
  core.state.afterReplay();
  return { ...dump(core.state), ...dumpContent(core.state, touched) };
}

function dump(state: BrokerState) {
  const { jobs, bulks } = state;
  const rows: unknown[] = [];
  for (let seq = 1; seq <= jobs.seqs.highest; seq++) {
    const job = jobs.bySeq(seq);
    if (job !== undefined) rows.push(rowOf(state, job));
  }
  return {
    epoch: state.epoch,
    highest: jobs.seqs.highest,
    rows,
    queues: queuesOf(state),
    logOrder: seqsOf(state, jobs.logOrder),
    sums: [jobs.bytes, jobs.logBytes, jobs.readyCount, jobs.size],
    logBytes: state.logBytes,
    money: moneyOf(state),
    batches: [...jobs.batches.all()]
      .map((batch) => JSON.stringify({ ...batch, cause: null, terms: { ...batch.terms, atMs: 0 } }))
      .toSorted(),
    // What was looked at in vain is logged only by chance.
    bulks: Array.from({ length: bulks.newest }, (_, index) => ({
      ...bulks.get(index + 1),
      nextSeq: 0,
    })),
  };
}

function moneyOf({ money }: BrokerState): unknown {
  const budgets = [...money.budgets.values()].map((entry) => [entry, money.totalOf(entry)]);
  return [budgets, money.costRows(), [...money.holds.values()]].map((rows) =>
    rows.map((row) => JSON.stringify(row)).toSorted(),
  );
}

function rowOf({ jobs }: BrokerState, job: JobEntry): unknown {
  const { extras } = jobs;
  const { slot } = job;
  const { id, seq, base, last, changedAtMs, leaseEpoch, deliveries, bodyBytes, jobBytes } = job;
  const { lastBytes, attempts, attemptsMax, crashes, returns, state, priority, lastEnd } = job;
  const { isolated, bodyInLog, digest, logBytes, holder } = job;
  return {
    id,
    seq,
    base,
    last,
    changedAtMs,
    leaseEpoch,
    holder,
    deliveries,
    bodyBytes,
    jobBytes,
    lastBytes,
    attempts,
    attemptsMax,
    crashes,
    returns,
    state,
    priority,
    lastEnd,
    isolated,
    bodyInLog,
    digest: [...digest],
    logBytes,
    queue: jobs.queueOf(job).name,
    parkKey: state === 'parked' ? jobs.queues.list(job.list).key : '',
    known: jobs.get(id)?.slot === slot,
    dueAtMs: extras.dueAtMs.get(slot),
    expiresAtMs: extras.expiresAtMs.get(slot),
    session: extras.session.get(slot),
    returnsSinceMs: extras.returnsSinceMs.get(slot),
    usage: extras.usage.get(slot),
    cause: extras.cause.get(slot),
  };
}

/** A queue that holds nothing and has no settings is as one that was never named. */
function queuesOf(state: BrokerState): unknown {
  return Array.from(state.jobs.queues.all())
    .map(({ name, ready, parked, terminal, counts, jobs, bytes, paused, settings }) => ({
      name,
      ready: ready.map(({ list }) => seqsOf(state, list.rows)),
      parked: [...parked]
        .map(([key, { rows }]) => [
          key,
          seqsOf(state, rows).toSorted((left, right) => left - right),
        ])
        .toSorted((left, right) => (String(left) < String(right) ? -1 : 1)),
      over: seqsOf(state, terminal.rows),
      counts,
      jobs,
      bytes,
      paused,
      settings,
    }))
    .filter(({ counts, paused, settings }) =>
      [paused, ...Object.values(counts), ...Object.values(settings)].some(Boolean),
    )
    .toSorted((left, right) => (left.name < right.name ? -1 : 1));
}

function seqsOf({ jobs }: BrokerState, list: RowList): number[] {
  const seqs: number[] = [];
  for (let slot = list.head; slot !== 0; slot = list.after(slot)) {
    seqs.push(jobs.at(slot)?.seq ?? 0);
  }
  if (seqs.length !== list.length) throw new Error(`a list of ${list.length} has ${seqs.length}`);
  return seqs;
}

function dumpContent(
  { blobs, journal }: BrokerState,
  touched: { blobs: Set<string>; entries: Map<string, [string, Uint8Array]> },
) {
  return {
    blobs: [...touched.blobs].toSorted().flatMap((key) => {
      const blob = blobs.byKey(key);
      if (blob === undefined) return [];
      const { totalBytes, endBytes, storedAtMs, chunks } = blob;
      const at = chunks.map((chunk) => [chunk.at, chunk.bytes, chunk.offset]);
      return [[key, totalBytes, endBytes, storedAtMs, at, blobs.unreferenced.has(key)]];
    }),
    blobSums: [blobs.count, blobs.bytes],
    journal: [...touched.entries.keys()].toSorted().flatMap((key) => {
      const [id, callHash] = touched.entries.get(key) ?? ['', new Uint8Array(0)];
      const entry = journal.find(id, callHash);
      return entry === undefined ? [] : [[key, entry.offset, entry.blob]];
    }),
    journalSums: [journal.entryCount],
  };
}
