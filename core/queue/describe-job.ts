/** A job as people and programs are told about it: the one documented form, made from `JobInfo`. */

import { isAbsolute, join } from 'node:path';
import { type JobInfo, type JobState, shortId, type Usage } from '../protocol/index.ts';

/** What the consumer noted about a finished job; fields that it did not write are absent. */
export interface JobNote {
  readonly files: readonly string[];
  /** Files beyond those that fit into the note. */
  readonly moreFiles?: number;
  readonly provider?: string;
  readonly model?: string;
  readonly elapsedMs?: number;
}

/** A job and where it stands. Times are ISO 8601 in UTC. */
export interface JobDescription {
  readonly id: string;
  /** The beginning of the id that people see. */
  readonly shortId: string;
  readonly agent: string;
  readonly queue: string;
  readonly state: JobState;
  /** Where the input came from; empty when nobody said. */
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
  /** The last failure. */
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly usage: Usage;
  /** The result's files, absolute where the consumer named its output folder. */
  readonly files: readonly string[];
  readonly note: Omit<JobNote, 'files'>;
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

export function describeJob(info: JobInfo): JobDescription {
  const { files, ...note } = readNote(info.note);
  return {
    id: info.id,
    shortId: shortId(info.id),
    agent: info.agent,
    queue: info.queue,
    state: info.state,
    source: info.source,
    attempts: info.attempts,
    attemptsMax: info.attemptsMax,
    deliveries: info.deliveries,
    returns: info.returns,
    crashes: info.crashes,
    inputBytes: info.bodyBytes,
    enqueuedAt: new Date(info.enqueuedAtMs).toISOString(),
    changedAt: new Date(info.changedAtMs).toISOString(),
    dueAt: info.dueAtMs === 0 ? null : new Date(info.dueAtMs).toISOString(),
    error: info.errorCode === '' ? null : { code: info.errorCode, message: info.errorMessage },
    usage: info.usage,
    files,
    note,
  };
}
