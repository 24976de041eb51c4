/** A job as the broker holds it: its identity, its state and its counters. */

import {
  decodeJob,
  type JobInfo,
  type JobState,
  type LeaseToken,
  limits,
  noUsage,
  type Usage,
} from '../../protocol/index.ts';
import type { Queued } from './fifo.ts';
import type { LeaseEnd } from './records.ts';

export interface JobEntry extends Queued {
  /** Order of acceptance, from 1. */
  readonly seq: number;
  readonly id: string;
  readonly queue: string;
  readonly agent: string;
  readonly source: string;
  /** Content digest, as text, so that the same id with other content is noticed. */
  readonly digest: string;
  readonly attemptsMax: number;
  readonly bodyBytes: number;
  readonly enqueuedAtMs: number;
  /** The encoded job; dropped when it is done or cancelled. */
  bytes: Uint8Array | null;
  state: JobState;
  /** Failures charged to the job. */
  attempts: number;
  /** Times that a holder vanished. */
  crashes: number;
  /** Times that it came back uncharged: throttled, handed back, lost. */
  returns: number;
  /** Hand-outs; the number of the newest fences all older ones. */
  deliveries: number;
  /** Epoch and session of the newest hand-out. */
  leaseEpoch: number;
  session: string | null;
  isolated: boolean;
  /** How the newest lease ended; null while it is held or before the first. */
  lastEnd: LeaseEnd | null;
  /** When it entered its state, wall clock. */
  changedAtMs: number;
  dueAtMs: number;
  errorCode: string;
  errorMessage: string;
  note: string;
  usage: Usage;
}

/** An entry for a job that was just accepted. */
export function newEntry(seq: number, bytes: Uint8Array, atMs: number, dueAtMs: number): JobEntry {
  const job = decodeJob(bytes);
  return {
    position: -1,
    seq,
    id: job.id,
    queue: job.queue,
    agent: job.agent,
    source: job.source,
    digest: digestText(job.digest),
    attemptsMax: job.attemptsMax,
    bodyBytes: job.body.length,
    enqueuedAtMs: atMs,
    bytes,
    state: dueAtMs > atMs ? 'delayed' : 'ready',
    attempts: 0,
    crashes: 0,
    returns: 0,
    deliveries: 0,
    leaseEpoch: 0,
    session: null,
    isolated: false,
    lastEnd: null,
    changedAtMs: atMs,
    dueAtMs: dueAtMs > atMs ? dueAtMs : 0,
    errorCode: '',
    errorMessage: '',
    note: '',
    usage: noUsage,
  };
}

/** Bytes as text that can be compared and kept. */
export function digestText(digest: Uint8Array): string {
  return String.fromCharCode(...digest);
}

/** True when the job will never run again by itself. */
export function isFinished(state: JobState): boolean {
  return state === 'done' || state === 'dead' || state === 'cancelled';
}

/** The token of the newest hand-out. */
export function tokenOf(job: JobEntry): LeaseToken {
  return { id: job.id, epoch: job.leaseEpoch, delivery: job.deliveries };
}

/** True when the token is the job's newest and its lease is held. */
export function holdsLease(job: JobEntry, token: LeaseToken, session: string): boolean {
  return job.state === 'leased' && job.session === session && isNewest(job, token);
}

/** True when no later hand-out of the job exists. */
export function isNewest(job: JobEntry, token: LeaseToken): boolean {
  return job.leaseEpoch === token.epoch && job.deliveries === token.delivery;
}

/** What the broker tells about a job. */
export function infoOf(job: JobEntry): JobInfo {
  return {
    id: job.id,
    queue: job.queue,
    agent: job.agent,
    source: job.source,
    state: job.state,
    attempts: job.attempts,
    attemptsMax: job.attemptsMax,
    crashes: job.crashes,
    returns: job.returns,
    deliveries: job.deliveries,
    bodyBytes: job.bodyBytes,
    enqueuedAtMs: job.enqueuedAtMs,
    changedAtMs: job.changedAtMs,
    dueAtMs: job.dueAtMs,
    expiresAtMs: 0,
    priority: 'normal',
    tags: [],
    parkKey: '',
    resultBytes: 0,
    errorCode: job.errorCode,
    errorMessage: job.errorMessage,
    note: job.note,
    usage: job.usage,
  };
}

/** Most bytes of infos in one frame: no client may refuse a frame that holds one job. */
export const infosBytesMax: number = limits.jobBodyBytesMax;

/** No fewer bytes than the job's info takes in a frame: UTF-16 units take at most three each. */
export function infoBytesMax(job: JobEntry): number {
  const texts = [job.queue, job.agent, job.source, job.errorCode, job.errorMessage, job.note];
  return 256 + 3 * texts.reduce((sum, text) => sum + text.length, 0);
}
