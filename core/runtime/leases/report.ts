/** How the end of a lease is reported: the fields of a report that depend on it. */

import type { JobState, Settle, Settled } from '../../job-queue/index.ts';
import { noJobUsage } from '../attempt/usage.ts';
import type { JobReport } from '../options.ts';
import type { WrittenFiles } from '../outputs/projection.ts';
import type { RunEnd } from '../pool/run.ts';

export type EndFields = Omit<JobReport, 'id' | 'agent' | 'source' | 'attempt' | 'elapsedMs'>;

/** The lease went away under the work; nothing was settled. */
export const lostEnd: EndFields = {
  outcome: 'lost',
  state: null,
  root: '',
  files: [],
  model: '',
  provider: '',
  supersededBy: '',
  recovered: false,
  errorCode: '',
  errorMessage: '',
  delayMs: 0,
  usage: noJobUsage,
};

/** What a settle that the broker took did to the job. */
export function endOf(
  settle: Settle,
  { end, written }: { readonly end: RunEnd | null; readonly written: WrittenFiles | null },
  state: JobState,
): EndFields {
  return {
    ...lostEnd,
    ...(settle.outcome === 'ack' ? madeBy(end, written) : {}),
    outcome: settle.outcome,
    supersededBy: settle.errorCode === 'superseded' ? (settle.enqueue?.[0]?.id ?? '') : '',
    state,
    errorCode: settle.errorCode ?? '',
    errorMessage: settle.errorMessage ?? '',
    delayMs: state === 'delayed' ? Math.round(settle.delayMs ?? 0) : 0,
    usage: end?.type === 'finished' ? end.result.usage : noJobUsage,
  };
}

function madeBy(end: RunEnd | null, written: WrittenFiles | null): Partial<EndFields> {
  if (end?.type !== 'finished' || !end.result.ok) return {};
  const { root, files, model, provider, recovered, notSearched } = end.result;
  const names = written?.names ?? files.map(({ path }) => path);
  return {
    root,
    files: names,
    model,
    provider,
    recovered,
    ...(notSearched === undefined ? {} : { notSearched }),
    ...(written?.notWritten == null ? {} : { notWritten: written.notWritten }),
  };
}

/** The broker did not take the outcome: the lease was not ours any more. */
export function refusedEnd({ code, message }: Settled & { ok: false }): EndFields {
  return { ...lostEnd, errorCode: code.toLowerCase(), errorMessage: message };
}
