/**
 * Making a job from an agent and an input, and reading it again at the other end. The body is JSON
 * text: `{"input": …, "outputDir": "/…", …}`; all but the first only where there is something to say.
 */

import { AiqError, isId, type Job, type Priority, plainJob } from '../protocol/index.ts';
import { type LostNumber, lostText, readJson } from '../yaml/index.ts';
import { jsonTexts } from './canonical-json.ts';
import { idAfter, identify, type JobContent, type JobIdentity } from './identity.ts';

/** When and how a job is to be done, which is no part of what it is: the same job keeps its first. */
export interface JobTerms {
  /** Earliest delivery after enqueue, milliseconds. */
  readonly delayMs?: number | undefined;
  /** Earliest delivery, milliseconds since 1970; with `delayMs` the later one counts. */
  readonly runAtMs?: number | undefined;
  /** Dead instead of delivered from then on, milliseconds since 1970. */
  readonly expiresAtMs?: number | undefined;
  readonly priority?: Priority | undefined;
  readonly tags?: readonly string[] | undefined;
  /** Parked from the start until this key is signalled. */
  readonly parkKey?: string | undefined;
  /** What it is enqueued together with: a name by the rules of a tag. */
  readonly batch?: string | undefined;
}

export interface NewJob extends JobContent, JobTerms {
  readonly queue: string;
  /** Where the input came from, for people: a file name, or empty. */
  readonly source?: string | undefined;
  readonly attemptsMax?: number | undefined;
  readonly identity?: JobIdentity | undefined;
  /** Where it is made; nowhere that is known when it is left out. */
  readonly madeIn?: Place | undefined;
  readonly createdAtMs?: number | undefined;
}

/** What the body of a job says. */
export interface JobBody {
  readonly input: unknown;
  /** Absolute folder for the outputs; null when the consumer decides. */
  readonly outputDir: string | null;
  /** Where it was made; absent where that is unknown. */
  readonly madeIn?: Place;
  /** How its id was chosen; absent for one that its content decides. */
  readonly idBy?: 'key' | 'random';
  /** The job of the same content that this one follows on; absent for the first. */
  readonly after?: string;
}

/** A project: the folder that its agents are configured in, and its machine. */
export interface Place {
  readonly host: string;
  /** Absolute. */
  readonly dir: string;
}

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * A job, ready to be enqueued. The input's properties keep their order in the body.
 * @throws TypeError when the input is no JSON value
 */
export function newJob(options: NewJob): Job {
  const { agent, queue, agentDigest, outputDir, madeIn, identity = 'content' } = options;
  const { canonical: inputText, asIs } = jsonTexts(options.input);
  const idBy = identity === 'content' ? undefined : 'key' in identity ? 'key' : 'random';
  const { id, digest } = identify({ agent, queue, agentDigest, outputDir, inputText }, identity);
  return {
    id,
    digest,
    queue,
    body: utf8.encode(bodyText(asIs, { outputDir, madeIn, idBy })),
    agent,
    agentDigest: new Uint8Array(Buffer.from(agentDigest, 'hex')),
    source: options.source ?? '',
    createdAtMs: options.createdAtMs ?? Date.now(),
    attemptsMax: options.attemptsMax ?? plainJob.attemptsMax,
    delayMs: options.delayMs ?? plainJob.delayMs,
    runAtMs: options.runAtMs ?? plainJob.runAtMs,
    expiresAtMs: options.expiresAtMs ?? plainJob.expiresAtMs,
    priority: options.priority ?? plainJob.priority,
    tags: options.tags ?? plainJob.tags,
    parkKey: options.parkKey ?? plainJob.parkKey,
    batch: options.batch ?? plainJob.batch,
    bodyRef: null,
  };
}

/** The text of `{ input, ...rest }`, with that of the input as it is. */
function bodyText(input: string, rest: object): string {
  const others = JSON.stringify(rest);
  return others === '{}' ? `{"input":${input}}` : `{"input":${input},${others.slice(1)}`;
}

/** What a job takes from its agent. */
export interface JobAgent {
  readonly name: string;
  readonly queue: string;
  readonly digest: string;
  readonly retry: { readonly attempts: number };
}

/**
 * A job for an agent, from an input that passed the agent's checks.
 * @throws TypeError when the input is no JSON value
 */
export function newJobFor(
  agent: JobAgent,
  options: JobTerms & Pick<NewJob, 'input' | 'outputDir' | 'source' | 'identity' | 'madeIn'>,
): Job {
  const { name, queue, digest, retry } = agent;
  return newJob({
    ...options,
    agent: name,
    queue,
    agentDigest: digest,
    attemptsMax: retry.attempts,
  });
}

/**
 * The job that follows on one that was done and does not count any more: the same in all but its id,
 * which is always the same again.
 */
export function jobAfter(job: Job): Job {
  const body: unknown = JSON.parse(strictUtf8.decode(job.body));
  const after = utf8.encode(JSON.stringify({ ...(body as object), after: job.id }));
  return { ...job, id: idAfter(job.id), body: after };
}

/**
 * Reads the body of a job that `newJob` made.
 * @throws AiqError `BAD_JOB` when it is no such body
 */
export function readJobBody({ body }: Pick<Job, 'body'>): JobBody {
  let value: unknown;
  let lost: readonly LostNumber[];
  try {
    ({ value, lost } = readJson(strictUtf8.decode(body)));
  } catch (error) {
    throw new AiqError('BAD_JOB', 'the body of the job is no JSON in UTF-8', { cause: error });
  }
  // A producer of another kind may write numbers that ours cannot keep.
  const [first] = lost;
  if (first !== undefined) {
    throw new AiqError('BAD_JOB', `${first.path.join('.')} of the job: ${lostText(first.text)}`);
  }
  if (typeof value !== 'object' || value === null || !('input' in value)) {
    throw new AiqError('BAD_JOB', 'the body of the job has no "input"');
  }
  const outputDir = 'outputDir' in value ? value.outputDir : null;
  if (outputDir !== null && typeof outputDir !== 'string') {
    throw new AiqError('BAD_JOB', '"outputDir" in the body of the job is no text');
  }
  return { input: value.input, outputDir, ...originOf(value as Origin) };
}

type Origin = Partial<Record<'madeIn' | 'idBy' | 'after', unknown>>;

/** Only shown to people and compared: what is no such thing counts as not given. */
function originOf(body: Origin): Omit<JobBody, 'input' | 'outputDir'> {
  const { madeIn, idBy, after } = body;
  const { host, dir } = (madeIn ?? {}) as Partial<Record<keyof Place, unknown>>;
  return {
    ...(typeof host === 'string' && typeof dir === 'string' ? { madeIn: { host, dir } } : {}),
    ...(idBy === 'key' || idBy === 'random' ? { idBy } : {}),
    ...(typeof after === 'string' && isId(after) ? { after } : {}),
  };
}
