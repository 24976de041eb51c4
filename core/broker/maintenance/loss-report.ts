/** The report that salvaging a log leaves beside the new one: for programs as JSON, for people as text. */

import type { IdList, Losses } from './losses.ts';
import { describeProblem, type LogProblem } from './problems.ts';
import type { Survey } from './survey.ts';

export interface NamedIds {
  readonly ids: readonly string[];
  /** How many more there are (some perhaps counted twice). */
  readonly more: number;
}

export interface LossReport {
  /** Folder of the damaged log. */
  readonly from: string;
  readonly at: string;
  readonly source: {
    readonly segments: number;
    readonly bytes: number;
    readonly batches: number;
    readonly records: number;
  };
  readonly kept: { readonly records: number; readonly jobs: number };
  readonly lost: {
    /** Places where something is wrong, with their byte ranges. */
    readonly places: readonly LogProblem[];
    readonly bytes: number;
    /** Batches known to be lost; where a header is not legible, at least one. */
    readonly batches: number;
    /** Records lost in places where their number is known. */
    readonly records: number;
    /** Places where nothing tells how many. */
    readonly placesOfUnknownSize: number;
  };
  /** Legible records that the new log cannot hold. */
  readonly leftOut: {
    readonly ofUnknownJobs: number;
    readonly illegible: number;
    readonly ofLostBlobs: number;
  };
  readonly jobs: {
    readonly thatLostRecords: NamedIds;
    readonly withoutInput: NamedIds;
    readonly withoutResult: NamedIds;
  };
  /** Bytes at the end that never became durable: no loss. */
  readonly looseEndBytes: number;
}

export function lossReport(
  survey: Survey,
  losses: Losses,
  facts: Pick<LossReport, 'from' | 'at' | 'kept'>,
): LossReport {
  const { problems, segments, bytes, batches, records, looseEnd } = survey;
  const sumOf = (count: (problem: LogProblem) => number): number =>
    problems.reduce((sum, problem) => sum + count(problem), 0);
  return {
    ...facts,
    source: { segments, bytes, batches, records },
    lost: {
      places: problems,
      // Bytes that the disk did not give are counted with the batches that they belong to.
      bytes: sumOf(({ kind, bytes: lost }) => (kind === 'unreadable' ? 0 : lost)),
      batches: problems.filter(({ kind }) => kind === 'batch').length,
      records: sumOf((problem) => problem.records ?? 0),
      placesOfUnknownSize: problems.filter((problem) => problem.records === null).length,
    },
    leftOut: {
      ofUnknownJobs: losses.unknownJob,
      illegible: losses.illegible,
      ofLostBlobs: losses.lostBlob,
    },
    jobs: {
      thatLostRecords: namesOf(losses.ids),
      withoutInput: namesOf(losses.inputs),
      withoutResult: namesOf(losses.results),
    },
    looseEndBytes: looseEnd?.bytes ?? 0,
  };
}

function namesOf({ named, more }: IdList): NamedIds {
  return { ids: named, more };
}

/** The report as text, one fact to a line. */
export function lossText({ from, at, source, kept, lost, leftOut, jobs }: LossReport): string {
  const atLeast = lost.placesOfUnknownSize > 0 ? 'at least ' : '';
  return [
    `Salvaged from ${from} at ${at}.`,
    '',
    `read     ${source.records} records in ${source.batches} batches, ${source.segments} segments, ${source.bytes} bytes`,
    `kept     ${kept.records} records: ${kept.jobs} jobs`,
    `lost     ${atLeast}${lost.records} records, ${atLeast}${lost.batches} batches, ${lost.bytes} bytes`,
    `left out ${leftOut.ofUnknownJobs} records of jobs that are lost, ` +
      `${leftOut.ofLostBlobs} of blobs that are lost, ${leftOut.illegible} that cannot be read`,
    '',
    'Where:',
    ...lost.places.map((place) => `  ${describeProblem(place)}`),
    ...idLines(
      'Jobs that lost records (what is known of them may be old, or they are gone):',
      jobs.thatLostRecords,
    ),
    ...idLines('Jobs whose input is gone (they will fail):', jobs.withoutInput),
    ...idLines('Jobs whose result is gone:', jobs.withoutResult),
    '',
  ].join('\n');
}

function idLines(heading: string, { ids, more }: NamedIds): string[] {
  if (ids.length === 0) return [];
  const rest = more === 0 ? [] : [`  and ${more} more`];
  return ['', heading, ...ids.map((id) => `  ${id}`), ...rest];
}
