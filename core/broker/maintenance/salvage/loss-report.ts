/** What salvage could not keep, and the text report of it. */

import { describeProblem, type LogProblem } from '../survey/problems.ts';
import type { Survey } from '../survey/survey.ts';

/** Far more than a person reads, far less than a report can hold. */
const idsMax = 10_000;

/** Distinct ids, the first ones listed and the others counted. */
export class IdList {
  readonly #ids: Set<string> = new Set();
  #count = 0;

  /** How often an id was added that is not listed. */
  get more(): number {
    return this.#count;
  }

  get listed(): readonly string[] {
    return [...this.#ids];
  }

  add(id: string): void {
    if (this.#ids.has(id)) return;
    if (this.#ids.size < idsMax) this.#ids.add(id);
    else this.#count += 1;
  }
}

/** Counts and ids of what salvage leaves out. */
export class Losses {
  /** Records about jobs whose acceptance is lost. */
  unknownJob = 0;
  /** Records that cannot be decoded. */
  illegible = 0;
  /** Chunks of incomplete blobs, and journal entries that refer to them. */
  lostBlob = 0;
  /** Jobs that lost records: their state in the new log may be old, or they are not in it. */
  readonly ids: IdList = new IdList();
  /** Jobs in the new log whose input is lost. */
  readonly inputs: IdList = new IdList();
  /** Jobs in the new log whose result is lost. */
  readonly results: IdList = new IdList();
}

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
    /** All problems, with their byte ranges. */
    readonly places: readonly LogProblem[];
    readonly bytes: number;
    /** Lost batches; at least one where a header is damaged. */
    readonly batches: number;
    /** Lost records, where their number is known. */
    readonly records: number;
    /** Problems with an unknown number of lost records. */
    readonly placesOfUnknownSize: number;
  };
  /** Valid records that the new log cannot hold. */
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
  /** Bytes at the end that were not durable: no loss. */
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
      bytes: sumOf(({ bytes: lost }) => lost),
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

function namesOf({ listed, more }: IdList): NamedIds {
  return { ids: listed, more };
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
      'Jobs that lost records (their state may be old, or they are lost):',
      jobs.thatLostRecords,
    ),
    ...idLines('Jobs whose input is lost (they will fail):', jobs.withoutInput),
    ...idLines('Jobs whose result is lost:', jobs.withoutResult),
    '',
  ].join('\n');
}

function idLines(heading: string, { ids, more }: NamedIds): string[] {
  if (ids.length === 0) return [];
  const rest = more === 0 ? [] : [`  and ${more} more`];
  return ['', heading, ...ids.map((id) => `  ${id}`), ...rest];
}
