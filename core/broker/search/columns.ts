/** The columns of the `jobs` table: the one place that says how a job's info is stored. */

import {
  idFromText,
  idToText,
  type JobInfo,
  jobStates,
  outputStates,
  priorities,
} from '../../protocol/index.ts';

/** What a column may hold. */
export type Cell = number | string | Uint8Array;

interface Column {
  readonly type: 'INTEGER' | 'TEXT' | 'BLOB';
  /** Never changes once the job is accepted. */
  readonly fixed: boolean;
  readonly cell: (info: JobInfo) => Cell;
}

const fixed = (type: Column['type'], cell: Column['cell']): Column => ({ type, fixed: true, cell });
const number = (cell: (info: JobInfo) => number): Column => ({
  type: 'INTEGER',
  fixed: false,
  cell,
});
const text = (cell: (info: JobInfo) => string): Column => ({ type: 'TEXT', fixed: false, cell });

/** By name, in the order of the table, after `seq`. */
export const columns: Readonly<Record<string, Column>> = {
  id: fixed('BLOB', ({ id }) => idCell(id)),
  queue: fixed('TEXT', ({ queue }) => queue),
  agent: fixed('TEXT', ({ agent }) => agent),
  source: fixed('TEXT', ({ source }) => source),
  tags: fixed('TEXT', ({ tags }) => tags.join('\n')),
  priority: fixed('INTEGER', ({ priority }) => priorities[priority]),
  attempts_max: fixed('INTEGER', ({ attemptsMax }) => attemptsMax),
  body_bytes: fixed('INTEGER', ({ bodyBytes }) => bodyBytes),
  enqueued_at_ms: fixed('INTEGER', ({ enqueuedAtMs }) => enqueuedAtMs),
  state: number(({ state }) => jobStates[state]),
  attempts: number(({ attempts }) => attempts),
  crashes: number(({ crashes }) => crashes),
  returns: number(({ returns }) => returns),
  deliveries: number(({ deliveries }) => deliveries),
  changed_at_ms: number(({ changedAtMs }) => changedAtMs),
  due_at_ms: number(({ dueAtMs }) => dueAtMs),
  expires_at_ms: number(({ expiresAtMs }) => expiresAtMs),
  park_key: text(({ parkKey }) => parkKey),
  result_bytes: number(({ resultBytes }) => resultBytes),
  output: number(({ output }) => outputStates[output]),
  error_code: text(({ errorCode }) => errorCode),
  error_message: text(({ errorMessage }) => errorMessage),
  note: text(({ note }) => note),
  calls: number(({ usage }) => usage.calls),
  input_tokens: number(({ usage }) => usage.inputTokens),
  output_tokens: number(({ usage }) => usage.outputTokens),
  cost_micros: number(({ usage }) => usage.costMicros),
  estimated: number(({ usage }) => (usage.estimated ? 1 : 0)),
};

const allCells = Object.values(columns).map(({ cell }) => cell);
const changingCells = Object.values(columns)
  .filter((column) => !column.fixed)
  .map(({ cell }) => cell);

/** Names of the columns that may change. */
export const changingColumns: readonly string[] = Object.entries(columns)
  .filter(([, column]) => !column.fixed)
  .map(([name]) => name);

/** The cells of a whole row, without `seq`. */
export function rowOf(info: JobInfo): Cell[] {
  return allCells.map((cell) => cell(info));
}

/** The cells of `changingColumns`. */
export function changesOf(info: JobInfo): Cell[] {
  return changingCells.map((cell) => cell(info));
}

/** An id as its column holds it. */
export function idCell(id: string): Uint8Array {
  const bytes = new Uint8Array(16);
  idFromText(id, bytes);
  return bytes;
}

const stateNames = namesOf(jobStates);
const priorityNames = namesOf(priorities);
const outputNames = namesOf(outputStates);

function namesOf<N extends string>(table: Readonly<Record<N, number>>): Map<number, N> {
  return new Map((Object.keys(table) as N[]).map((name) => [table[name], name]));
}

/** A row as SQLite answers it: the columns above and `seq`. */
export type Row = Readonly<Record<string, unknown>>;

/** The info that a row holds. */
export function infoOf(row: Row): JobInfo {
  const n = (name: string): number => row[name] as number;
  const t = (name: string): string => row[name] as string;
  return {
    id: idToText(row['id'] as Uint8Array),
    queue: t('queue'),
    agent: t('agent'),
    source: t('source'),
    state: stateNames.get(n('state')) ?? 'none',
    attempts: n('attempts'),
    attemptsMax: n('attempts_max'),
    crashes: n('crashes'),
    returns: n('returns'),
    deliveries: n('deliveries'),
    bodyBytes: n('body_bytes'),
    enqueuedAtMs: n('enqueued_at_ms'),
    changedAtMs: n('changed_at_ms'),
    dueAtMs: n('due_at_ms'),
    expiresAtMs: n('expires_at_ms'),
    priority: priorityNames.get(n('priority')) ?? 'normal',
    tags: t('tags') === '' ? [] : t('tags').split('\n'),
    parkKey: t('park_key'),
    resultBytes: n('result_bytes'),
    output: outputNames.get(n('output')) ?? 'none',
    errorCode: t('error_code'),
    errorMessage: t('error_message'),
    note: t('note'),
    usage: {
      calls: n('calls'),
      inputTokens: n('input_tokens'),
      outputTokens: n('output_tokens'),
      costMicros: n('cost_micros'),
      estimated: n('estimated') === 1,
    },
  };
}
