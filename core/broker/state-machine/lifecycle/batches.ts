/** Batches at work: one in which too much fails is stopped, and the rest of its jobs wait for a person. */

import { parseStopRule, stopReason } from '../../../gate/index.ts';
import type { Now } from '../../events.ts';
import type { Core } from '../context/core.ts';
import type { JobEntry } from '../state/job-entry.ts';

/** What jobs of a stopped batch are parked on. */
export function batchKeyOf(name: string): string {
  return `batch:${name}`;
}

/** An attempt at the job ended: stops its batch where that was one failure too many. */
export function checkBatch(core: Core, job: JobEntry | undefined, now: Now): void {
  const { batches } = core.state.jobs;
  const batch = job === undefined ? undefined : batches.get(batches.nameOf(job.slot));
  if (batch === undefined || batch.terms.stopped !== null) return;
  const rule = parseStopRule(batch.terms.stopRule);
  const stopped = rule === null ? null : stopReason(rule, batches.outcomesOf(batch));
  if (stopped === null) return;
  core.commit({ ...batch.terms, stopped, atMs: now.wallMs });
}

/** Batches without jobs, and budgets that are theirs, are forgotten. */
export function dropUnused(core: Core, { wallMs: atMs }: Now): void {
  const { jobs, money } = core.state;
  for (const name of jobs.batches.unused(atMs)) {
    core.commit({ kind: 'batchDropped', name, atMs });
    for (const { terms } of money.budgets.values()) {
      if (terms.batch === name) core.commit({ kind: 'budgetRemoved', name: terms.name, atMs });
    }
  }
}

/** Parks the job in place of its delivery when its batch is stopped; true when it did. */
export function parkStopped(core: Core, job: JobEntry, now: Now): boolean {
  const { batches } = core.state.jobs;
  const batch = batches.get(batches.nameOf(job.slot));
  if (batch === undefined || batch.terms.stopped === null) return false;
  const key = batchKeyOf(batch.terms.name);
  core.commit({ kind: 'parked', ids: [job.id], key, atMs: now.wallMs });
  return true;
}
