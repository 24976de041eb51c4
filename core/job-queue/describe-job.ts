/** A job as it is reported to people and programs: the one documented form, made from `JobInfo`. */

import { isAbsolute, join } from 'node:path';
import {
  type JobInfo,
  type JobState,
  type LeaseEnd,
  type LeaseEndInfo,
  type OutputState,
  type Priority,
  shortId,
  type Usage,
  unknownCostMicros,
} from '../protocol/index.ts';
import type { InspectedJob } from './port.ts';

/** What the consumer noted about a finished job; fields that it did not write are absent. */
export interface JobNote {
  readonly files: readonly string[];
  /** Files beyond those that fit into the note. */
  readonly moreFiles?: number;
  readonly provider?: string;
  readonly model?: string;
  /** The model that was asked for, where the server named it otherwise. */
  readonly askedModel?: string;
  /** The job that does the work in its place. */
  readonly supersededBy?: string;
  readonly elapsedMs?: number;
  /** Part of the input tokens of the attempt that came from the provider's cache. */
  readonly cachedInputTokens?: number;
  /** Part of its output tokens that was reasoning. */
  readonly reasoningTokens?: number;
  /** Files that should have been searched and were not: how many, and the first of them. */
  readonly notSearched?: string;
  /** Why its files are not in their folder yet. */
  readonly notWritten?: string;
}

/** What the calls of all attempts used. */
export interface UsageDescription extends Omit<Usage, 'costMicros'> {
  /** Millionths of the currency of `prices`; null when a model without a price was called. */
  readonly costMicros: number | null;
}

/** A job and its state. Times are ISO 8601 in UTC. */
export interface JobDescription {
  readonly id: string;
  /** The beginning of the id that people see. */
  readonly shortId: string;
  readonly agent: string;
  readonly queue: string;
  readonly state: JobState;
  /** True for one that is done as an extract of the offline provider, which is no answer. */
  readonly extract: boolean;
  /** Id of the job that does its work, after its agent's definition changed; null for most. */
  readonly supersededBy: string | null;
  /** Where the input came from; empty when that is unknown. */
  readonly source: string;
  /** Charged failures so far. */
  readonly attempts: number;
  readonly attemptsMax: number;
  readonly deliveries: number;
  /** Deliveries that came back uncharged. */
  readonly returns: number;
  /** Deliveries whose holder vanished. */
  readonly crashes: number;
  readonly inputBytes: number;
  readonly enqueuedAt: string;
  readonly changedAt: string;
  /** When a delayed job may run; null for the others. */
  readonly dueAt: string | null;
  /** When it is dead instead of run; null for never. */
  readonly expiresAt: string | null;
  readonly priority: Priority;
  readonly tags: readonly string[];
  /** The key that a parked job waits for; null for the others. */
  readonly parkKey: string | null;
  /** Bytes of the result that its consumer kept with it; 0 when there is none. */
  readonly resultBytes: number;
  /** Whether a done job has files, and whether they are in their folder. */
  readonly output: OutputState;
  /** The last failure. */
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly usage: UsageDescription;
  /** The result's files, absolute where the consumer named its output folder. */
  readonly files: readonly string[];
  readonly note: Omit<JobNote, 'files' | 'supersededBy'>;
}

/** How one lease of a job ended. */
export interface LeaseEndDescription {
  readonly at: string;
  readonly end: LeaseEnd;
  /** Number of the delivery, from 1. */
  readonly delivery: number;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** A job with what is known of its past. */
export interface JobDetails extends JobDescription {
  /** Ends of its leases, newest first; the broker keeps the last ten. */
  readonly history: readonly LeaseEndDescription[];
}

/** Reads the note of a job; anything else reads as an empty one. */
export function readNote(note: string): JobNote {
  try {
    const parsed: unknown = JSON.parse(note);
    if (typeof parsed !== 'object' || parsed === null) return { files: [] };
    const { root, files, ...rest } = parsed as { root?: string; files?: unknown };
    const paths = Array.isArray(files) ? files.filter((file) => typeof file === 'string') : [];
    return { ...rest, files: paths.map((path) => absolute(root, path)) };
  } catch {
    return { files: [] };
  }
}

function absolute(root: string | undefined, path: string): string {
  return root === undefined || isAbsolute(path) ? path : join(root, path);
}

/** Whether the job is done, but as an extract of the offline provider, which is no answer. */
export function isExtract({ state, note }: Pick<JobInfo, 'state' | 'note'>): boolean {
  return state === 'done' && readNote(note).provider === 'offline';
}

/** The job's state, for people: `superseded` is done by another job in its place. */
export function stateWord({ state, note }: Pick<JobInfo, 'state' | 'note'>): string {
  return readNote(note).supersededBy === undefined ? state : 'superseded';
}

export function describeJob(info: JobInfo): JobDescription {
  const { files, supersededBy = null, ...note } = readNote(info.note);
  return {
    id: info.id,
    shortId: shortId(info.id),
    agent: info.agent,
    queue: info.queue,
    state: info.state,
    extract: isExtract(info),
    supersededBy,
    source: info.source,
    attempts: info.attempts,
    attemptsMax: info.attemptsMax,
    deliveries: info.deliveries,
    returns: info.returns,
    crashes: info.crashes,
    inputBytes: info.bodyBytes,
    enqueuedAt: new Date(info.enqueuedAtMs).toISOString(),
    changedAt: new Date(info.changedAtMs).toISOString(),
    dueAt: timeOf(info.dueAtMs),
    expiresAt: timeOf(info.expiresAtMs),
    priority: info.priority,
    tags: info.tags,
    parkKey: info.parkKey === '' ? null : info.parkKey,
    resultBytes: info.resultBytes,
    output: info.output,
    error: errorOf(info),
    usage: describeUsage(info.usage),
    files,
    note,
  };
}

export function describeUsage(usage: Usage): UsageDescription {
  const { costMicros } = usage;
  return { ...usage, costMicros: costMicros === unknownCostMicros ? null : costMicros };
}

export function describeInspected({ info, history }: InspectedJob): JobDetails {
  return { ...describeJob(info), history: history.map(describeLeaseEnd) };
}

function describeLeaseEnd(ended: LeaseEndInfo): LeaseEndDescription {
  const { atMs, end, delivery } = ended;
  return { at: new Date(atMs).toISOString(), end, delivery, error: errorOf(ended) };
}

function errorOf({
  errorCode,
  errorMessage,
}: Pick<JobInfo, 'errorCode' | 'errorMessage'>): JobDescription['error'] {
  return errorCode === '' ? null : { code: errorCode, message: errorMessage };
}

function timeOf(atMs: number): string | null {
  return atMs === 0 ? null : new Date(atMs).toISOString();
}
