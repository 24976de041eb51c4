/** OpenBatch, ResumeBatch and Batches: rules of batches, and how they stand. */

import { parseStopRule } from '../../../gate/index.ts';
import { isTag, limits } from '../../../protocol/index.ts';
import { type Request, refuse, respond } from '../context/request.ts';
import { batchKeyOf } from '../lifecycle/batches.ts';
import { plainBatch } from '../state/batches.ts';

const batchesMax = 100_000;
const stopRuleMax = 64;

export function openBatch(request: Request<'OpenBatch'>): void {
  const { core, fields, now } = request;
  const { batches } = core.state.jobs;
  const { stopRule } = fields;
  const name = fields.name === '' ? `${batches.newest + 1}` : fields.name;
  const known = batches.get(name);
  if (!isTag(name)) {
    refuse(request, 'BAD_REQUEST', `not a name of a batch: ${JSON.stringify(name.slice(0, 60))}`);
  } else if (stopRule.length > stopRuleMax || parseStopRule(stopRule) === null) {
    const forms = 'failures > 5%, failures > 12, 12 or never';
    const text = JSON.stringify(stopRule.slice(0, stopRuleMax));
    refuse(
      request,
      'BAD_REQUEST',
      `not a rule that stops a batch: ${text}; the forms are: ${forms}`,
    );
  } else if (known === undefined && batches.size >= batchesMax) {
    refuse(request, 'QUEUE_FULL', `the broker knows ${batchesMax} batches, its limit`);
  } else {
    const before = known?.terms ?? plainBatch(name);
    if (known === undefined || stopRule !== before.stopRule) {
      core.commit({ ...before, stopRule, atMs: now.wallMs });
    }
    respond(request, 'BatchOk', { name });
  }
}

export function resumeBatch(request: Request<'ResumeBatch'>): void {
  const { core, fields, now } = request;
  const batch = core.state.jobs.batches.get(fields.name);
  if (batch === undefined) {
    refuse(request, 'NOT_FOUND', `no batch ${JSON.stringify(fields.name.slice(0, 60))} is known`);
    return;
  }
  const { terms, tried, failed } = batch;
  if (terms.stopped !== null) {
    core.commit({ ...terms, stopped: null, tried, failed, atMs: now.wallMs });
    core.bulks.begin({ action: 'signal', queue: null, key: batchKeyOf(terms.name) }, null, now);
  }
  respond(request, 'Ok', {});
}

export function listBatches(request: Request<'Batches'>): void {
  const { after, limit } = request.fields;
  const rowsMax = Math.min(Math.max(1, limit), limits.listRowsMax);
  const all = [...request.core.state.jobs.batches.all()];
  const page = all.slice(after, after + rowsMax).map(({ terms, counts, tried, failed }) => {
    const { name, stopRule, stopped } = terms;
    // As they are now: the answer is encoded later.
    return { name, stopRule, stopped, counts: { ...counts }, tried, failed };
  });
  const next = after + rowsMax < all.length ? after + rowsMax : 0;
  respond(request, 'BatchesOk', { batches: page, next });
}
