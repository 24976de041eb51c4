/** Formats jobs: rows of lists, and the details of one job. */

import {
  describeJob,
  describeUsage,
  type InspectedJob,
  isExtract,
  type JobInfo,
  type LeaseEndInfo,
  readNote,
  shortId,
  stateWord,
} from '../../job-queue/index.ts';
import { outputText, unwrittenText } from './extract-text.ts';
import { formatAge, formatBytes, formatTable, oneLine, pathFromHere } from './format.ts';
import { outputWidth, type Terminal } from './terminal.ts';
import { usageText } from './usage-text.ts';

export const jobHeading = ['ID', 'AGENT', 'STATE', 'FAILED', 'AGE', 'SOURCE', 'RESULT'] as const;

/** One row of a list. */
export function jobRow(info: JobInfo, nowMs: number): string[] {
  const result = info.state === 'done' ? outputText(info) : failureOf(info);
  return [
    shortId(info.id),
    info.agent,
    stateWord(info),
    `${info.attempts}/${info.attemptsMax}`,
    formatAge(nowMs - info.enqueuedAtMs),
    info.source === '' ? '-' : info.source,
    result === '' ? '-' : result,
  ];
}

/** Code and text of a failure, on one line; empty when there was none. */
export function failureOf(info: Pick<JobInfo, 'errorCode' | 'errorMessage'>): string {
  if (info.errorCode === '') return '';
  return oneLine(
    info.errorMessage === '' ? info.errorCode : `${info.errorCode}: ${info.errorMessage}`,
  );
}

/** Prints jobs as rows, or with `--json` as one line of JSON each. */
export function printJobs(terminal: Terminal, jobs: readonly JobInfo[]): void {
  if (terminal.json) printJson(terminal, jobs);
  else if (jobs.length === 0) terminal.note('no jobs');
  else printRows(terminal, jobHeading, jobs, jobRow);
}

/** The same for dead jobs: with the cause instead of the state, and the age of the failure. */
export function printDeadJobs(terminal: Terminal, jobs: readonly JobInfo[]): void {
  if (terminal.json) printJson(terminal, jobs);
  else if (jobs.length === 0) terminal.note('no dead jobs');
  else {
    printRows(terminal, deadHeading, jobs, deadRow);
    terminal.hint('Once the cause is fixed: aiq dead retry <id>, or --cause <code>, or --all');
  }
}

function printJson(terminal: Terminal, jobs: readonly JobInfo[]): void {
  for (const info of jobs) terminal.result(JSON.stringify(describeJob(info)));
}

function printRows(
  terminal: Terminal,
  heading: readonly string[],
  jobs: readonly JobInfo[],
  rowOf: (info: JobInfo, nowMs: number) => string[],
): void {
  const now = Date.now();
  const rows = jobs.map((info) => rowOf(info, now));
  for (const line of formatTable(heading, rows, outputWidth())) terminal.result(line);
}

const deadHeading = ['ID', 'AGENT', 'CAUSE', 'FAILED', 'AGE', 'SOURCE', 'MESSAGE'] as const;

function deadRow(info: JobInfo, nowMs: number): string[] {
  return [
    shortId(info.id),
    info.agent,
    info.errorCode || '-',
    `${info.attempts}/${info.attemptsMax}`,
    formatAge(nowMs - info.changedAtMs),
    info.source || '-',
    info.errorMessage || '-',
  ];
}

/** Details of one job, one line per label. */
export function formatJobDetails(
  { info, history }: Pick<InspectedJob, 'info' | 'history'>,
  nowMs: number,
): string[] {
  const note = readNote(info.note);
  const rows: [label: string, value: string][] = [
    ['id', info.id],
    ['agent', info.agent],
    ['queue', info.queue],
    ['state', `${stateText(info)} for ${formatAge(nowMs - info.changedAtMs)}`],
    ['done by', note.supersededBy ?? ''],
    ['waits for', info.parkKey],
    ['priority', info.priority === 'normal' ? '' : info.priority],
    ['tags', info.tags.join(' ')],
    ['source', info.source],
    ['enqueued', new Date(info.enqueuedAtMs).toISOString()],
    ['due', timeText(info.dueAtMs)],
    ['expires', timeText(info.expiresAtMs)],
    ['failed', `${info.attempts} of ${info.attemptsMax} attempts`],
    ['deliveries', `${info.deliveries} (${info.returns} returned, ${info.crashes} lost)`],
    ['input', formatBytes(info.bodyBytes)],
    ['last error', failureOf(info)],
    ['model', [note.provider, note.model].filter(Boolean).join(' ')],
    ['usage', usageText({ ...note, ...describeUsage(info.usage) })],
    ['unsearched', note.notSearched ?? ''],
    ['result', info.resultBytes === 0 ? '' : formatBytes(info.resultBytes)],
    ...fileRows(info),
    ...history.map((end): [string, string] => ['history', leaseEndText(end)]),
  ];
  return rows
    .filter(([, value]) => value !== '')
    .map(([label, value]) => `${label.padEnd(12)}${oneLine(value)}`);
}

/** The files once they are there; before that, why they are not. */
function fileRows(info: JobInfo): [label: string, value: string][] {
  if (info.output === 'unwritten') return [['files', unwrittenText(info)]];
  return readNote(info.note).files.map((file) => ['file', pathFromHere(file)]);
}

function stateText(info: JobInfo): string {
  return isExtract(info) ? `${info.state} (extract)` : stateWord(info);
}

function timeText(atMs: number): string {
  return atMs === 0 ? '' : new Date(atMs).toISOString();
}

/** When a lease ended and how, such as `2026-11-22T12:00:00.000Z  retry  delivery 2  timeout: …`. */
function leaseEndText(ended: LeaseEndInfo): string {
  const facts = [timeText(ended.atMs), ended.end, `delivery ${ended.delivery}`, failureOf(ended)];
  return facts.filter((fact) => fact !== '').join('  ');
}
