/** The files of a job around its settle: their names before it, the files themselves after it. */

import type { Settle } from '../../job-queue/index.ts';
import { failureOf } from '../attempt/failure.ts';
import type { AskedOutputs } from '../attempt/outputs.ts';
import type { Prepared, Projection, WrittenFiles } from '../outputs/projection.ts';
import type { RunEnd } from '../pool/run.ts';

export type WritesOutputs = AskedOutputs & Pick<Projection, 'prepare' | 'write'>;

const { signal: neverAborted } = new AbortController();

/** The names are chosen before a result is settled, which fails where they cannot be. */
export async function prepareEnd(
  outputs: WritesOutputs,
  jobId: string,
  end: RunEnd,
): Promise<{ readonly end: RunEnd; readonly prepared: Prepared | null }> {
  if (end.type !== 'finished' || !end.result.ok) return { end, prepared: null };
  const { usage, prompts } = end.result;
  try {
    return { end, prepared: await outputs.prepare(jobId, end.result) };
  } catch (error) {
    const failure = failureOf(error, neverAborted);
    const result = { ok: false, failure, prompts, usage } as const;
    return { end: { type: 'finished', result }, prepared: null };
  }
}

/** The settle made the result real: its files follow. Null where it has none. */
export async function writeSettled(
  outputs: WritesOutputs,
  jobId: string,
  { output, note = '' }: Settle,
): Promise<WrittenFiles | null> {
  return output === undefined ? null : outputs.write({ jobId, output, note });
}
