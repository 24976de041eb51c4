/**
 * Events on their way to the main thread. Requests travel as the bytes of their frames, which were checked, and
 * the jobs of an Enqueue as bytes and places: cloning objects takes longer than to read the bytes again.
 */

import { decodeFields } from '../../../protocol/index.ts';
import { type CheckedJob, factsOfJob, type NetEvent } from '../../events.ts';
import { isOfFrame } from './transferable.ts';

type EnqueueEvent = Extract<NetEvent, { type: 'enqueue' }>;
type RequestEvent = Extract<NetEvent, { type: 'request' }>;
type Refused = Extract<CheckedJob, { ok: false }>;

/** The jobs of an Enqueue. */
interface PackedJobs {
  /** Holds the bytes of the good ones. */
  readonly bytes: Uint8Array;
  /** Where each begins and ends in them; of a refused one 0 and 0. */
  readonly places: Uint32Array;
  /** The refused ones, by their place in the request. */
  readonly refused: readonly (readonly [number, Refused])[];
}

type PackedEnqueue = Omit<EnqueueEvent, 'jobs'> & { readonly packed: PackedJobs };

interface PackedRequest {
  readonly type: 'packedRequest';
  readonly connection: RequestEvent['connection'];
  readonly name: RequestEvent['request']['name'];
  readonly correlationId: number;
  readonly body: Uint8Array;
}

export type PackedEvent = Exclude<NetEvent, EnqueueEvent> | PackedEnqueue | PackedRequest;

export function packEvents(events: readonly NetEvent[]): PackedEvent[] {
  return events.map((event) => {
    if (event.type === 'enqueue') {
      const { jobs, ...request } = event;
      return { ...request, packed: pack(jobs) };
    }
    if (event.type !== 'request' || event.body === undefined) return event;
    const { connection, request, body } = event;
    const { name, correlationId } = request;
    return { type: 'packedRequest', connection, name, correlationId, body };
  });
}

/** The events as they were; their bytes are views of what was received. */
export function unpackEvents(events: readonly PackedEvent[]): NetEvent[] {
  return events.map((event) => {
    if (event.type === 'packedRequest') return requestOf(event);
    if (!('packed' in event)) return event;
    const { packed, ...request } = event;
    return { ...request, jobs: unpack(packed) };
  });
}

function requestOf({ connection, name, correlationId, body }: PackedRequest): RequestEvent {
  const request = { name, correlationId, fields: decodeFields(name, body) };
  return { type: 'request', connection, request: request as RequestEvent['request'] };
}

function pack(jobs: readonly CheckedJob[]): PackedJobs {
  const places = new Uint32Array(2 * jobs.length);
  const refused: (readonly [number, Refused])[] = [];
  const frame = frameOf(jobs);
  const length = jobs.reduce((sum, job) => sum + (job.ok ? job.bytes.length : 0), 0);
  const bytes = frame ?? new Uint8Array(length);
  let at = 0;
  for (const [index, job] of jobs.entries()) {
    if (!job.ok) {
      refused.push([index, job]);
      continue;
    }
    const start = frame === null ? at : job.bytes.byteOffset;
    if (frame === null) bytes.set(job.bytes, at);
    at += job.bytes.length;
    places.set([start, start + job.bytes.length], 2 * index);
  }
  return { bytes, places, refused };
}

/** All bytes of a large frame, which has a buffer of its own and is passed on without a copy; else null. */
function frameOf(jobs: readonly CheckedJob[]): Uint8Array | null {
  const first = jobs.find((job) => job.ok);
  return first !== undefined && isOfFrame(first.bytes) ? new Uint8Array(first.bytes.buffer) : null;
}

function unpack({ bytes, places, refused }: PackedJobs): CheckedJob[] {
  const wrong = new Map(refused);
  return Array.from({ length: places.length / 2 }, (_, index) => {
    const bad = wrong.get(index);
    if (bad !== undefined) return bad;
    const job = bytes.subarray(places[2 * index], places[2 * index + 1]);
    return { ok: true, bytes: job, job: factsOfJob(job) };
  });
}
