/** The batch of one `aiq enqueue`: its name, what stops it, and what it may cost. */

import { parseMicros } from '../../../base/index.ts';
import { isTag, type JobQueue, limits } from '../../../job-queue/index.ts';
import { usageError } from '../../errors.ts';

export interface BatchFlags {
  readonly batch?: string;
  readonly stopAfter?: string;
  readonly maxCost?: string;
}

/** Makes the batch known, once there is something to send; resolves with its name. */
export type OpenBatch = (queue: JobQueue) => Promise<string>;

/** @throws CliError `usage` for flags that cannot be */
export async function openBatchOf(flags: BatchFlags): Promise<OpenBatch> {
  const { batch = '', stopAfter, maxCost } = flags;
  if (batch !== '' && !isTag(batch)) {
    const rule = `A name is 1 to ${limits.tagBytesMax} printable ASCII characters without spaces.`;
    throw usageError(`--batch: ${JSON.stringify(batch)} is not a name`, rule);
  }
  // Loaded where it is needed alone: one job is to be enqueued quickly.
  if (stopAfter !== undefined)
    (await import('../../output/failure-watch.ts')).stopRuleOf(stopAfter);
  const amountMicros = maxCost === undefined ? null : parseMaxCost(maxCost);
  return async (queue) => {
    const name = await queue.openBatch(batch, stopAfter ?? '');
    if (amountMicros !== null) await queue.setBudgets([budgetOf(name, amountMicros)]);
    return name;
  };
}

/** Published prices are in dollars. */
const currency = 'USD';

function parseMaxCost(text: string): number {
  const [, amount = ''] = /^(\S+?)(?: ?USD)?$/.exec(text) ?? [];
  const micros = parseMicros(amount);
  if (micros !== null && micros > 0) return micros;
  throw usageError(
    `--max-cost: ${JSON.stringify(text)} is not an amount above 0 in ${currency}, with up to 6 decimals`,
    'Examples: 3, 0.25, "3 USD"',
  );
}

/** Names of budgets have fewer characters than names of batches. */
function budgetOf(batch: string, amountMicros: number) {
  const name = `batch.${batch.replaceAll(/[^A-Za-z0-9]+/g, '-').replaceAll(/^-|-$/g, '')}`;
  const who = { agent: null, model: null, tag: null, batch };
  return { name, amountMicros, currency, per: 'all', timeZone: 'UTC', ...who } as const;
}
