/** How a job is shown: rows of lists, the sheet of one job. */

import { type JobInfo, readNote, shortId } from '../queue/index.ts';
import { pathFromHere } from './paths.ts';
import { formatAge, formatBytes, oneLine } from './table.ts';

export const jobHeading = ['ID', 'AGENT', 'STATE', 'FAILED', 'AGE', 'SOURCE', 'RESULT'] as const;

/** One row of a list. */
export function jobRow(info: JobInfo, nowMs: number): string[] {
  const { files } = readNote(info.note);
  const result = info.state === 'done' ? files.map(pathFromHere).join(' ') : failureOf(info);
  return [
    shortId(info.id),
    info.agent,
    info.state,
    `${info.attempts}/${info.attemptsMax}`,
    formatAge(nowMs - info.enqueuedAtMs),
    info.source === '' ? '-' : info.source,
    result === '' ? '-' : result,
  ];
}

/** Code and text of the last failure, on one line; empty when there was none. */
export function failureOf(info: JobInfo): string {
  if (info.errorCode === '') return '';
  return oneLine(
    info.errorMessage === '' ? info.errorCode : `${info.errorCode}: ${info.errorMessage}`,
  );
}

/** The sheet of one job, label by label. */
export function jobSheet(info: JobInfo, nowMs: number): string[] {
  const note = readNote(info.note);
  const rows: [label: string, value: string][] = [
    ['id', info.id],
    ['agent', info.agent],
    ['queue', info.queue],
    ['state', `${info.state} for ${formatAge(nowMs - info.changedAtMs)}`],
    ['source', info.source],
    ['enqueued', new Date(info.enqueuedAtMs).toISOString()],
    ['due', info.dueAtMs === 0 ? '' : new Date(info.dueAtMs).toISOString()],
    ['failed', `${info.attempts} of ${info.attemptsMax} attempts`],
    ['deliveries', `${info.deliveries} (${info.returns} returned, ${info.crashes} lost)`],
    ['input', formatBytes(info.bodyBytes)],
    ['last error', failureOf(info)],
    ['model', [note.provider, note.model].filter(Boolean).join(' ')],
    ['usage', usageText(info)],
    ...note.files.map((file): [string, string] => ['file', pathFromHere(file)]),
  ];
  return rows
    .filter(([, value]) => value !== '')
    .map(([label, value]) => `${label.padEnd(12)}${oneLine(value)}`);
}

function usageText({ usage }: JobInfo): string {
  if (usage.calls === 0) return '';
  const estimated = usage.estimated ? ' (estimated)' : '';
  const calls = usage.calls === 1 ? '1 call' : `${usage.calls} calls`;
  return `${calls}, ${usage.inputTokens} tokens in, ${usage.outputTokens} out${estimated}`;
}
