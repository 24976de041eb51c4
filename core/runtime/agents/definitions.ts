/**
 * A result counts for the definition that made it. Which jobs were made with the definition that this
 * consumer has, which with an older one of its own folder, and which with one of another folder.
 */

import type { Agent } from '../../agent/index.ts';
import {
  definitionKey,
  isExtract,
  isKeyOf,
  isSamePlace,
  type Job,
  type JobBody,
  type JobQueue,
  jobAfter,
  type LeasedJob,
  limits,
  newJob,
  type Place,
  placeOf,
  readJobBody,
  readNote,
} from '../../job-queue/index.ts';
import { pinKnowledge } from '../../tools/index.ts';
import type { RuntimeOptions } from '../options.ts';
import type { ThreadAgent } from '../pool/thread-messages.ts';

/** Who brings the agents up to date with their files. */
export interface Refreshing {
  /** Rejects when the files cannot be used. */
  agents(): Promise<void>;
  /** Whether the agent is in use as its files are. */
  isCurrent(name: string): boolean;
}

/**
 * `own`: made with the definition that is here, or run with it all the same. `older`: with another one
 * of this folder. `foreign`: with one that another folder has. `unknown`: it cannot be found out now.
 */
export type Ownership =
  | { readonly of: 'own' | 'older' }
  | { readonly of: 'foreign'; readonly key: string; readonly why: string }
  | { readonly of: 'unknown'; readonly why: string };

/** Code of the jobs that wait for a consumer that has their definition. */
export const foreignCode = 'other_definition';

/** Knowledge that was read within this time is taken to be as it was. */
const pinnedMs = 1_000;
const parkedRowsMax = 10_000;

interface Pin {
  readonly digest: Promise<string>;
  /** The digest, once it is known. */
  known: string | null;
  readonly atMs: number;
}

export class Definitions {
  readonly #queue: Pick<JobQueue, 'inspect' | 'list' | 'signal'>;
  readonly #agents: ReadonlyMap<string, ThreadAgent>;
  readonly #refreshing: Refreshing;
  readonly #baseDir: string;
  readonly #place: Place;
  readonly #isOneMachine: boolean;
  /** Digests over the knowledge of agents, too, as their jobs have them. */
  readonly #pins = new Map<string, Pin>();
  #rereading: Promise<void> = Promise.resolve();
  #nextReread: Promise<void> | null = null;

  /** @param agents by name, as they are now */
  constructor(
    { queue, baseDir = process.cwd(), isOneMachine = true }: RuntimeOptions,
    agents: ReadonlyMap<string, ThreadAgent>,
    refreshing: Refreshing,
  ) {
    this.#queue = queue;
    this.#agents = agents;
    this.#refreshing = refreshing;
    this.#baseDir = baseDir;
    this.#place = placeOf(baseDir);
    this.#isOneMachine = isOneMachine;
  }

  /** Without reading files: true for nearly all jobs. */
  isOwn({ job }: LeasedJob): boolean {
    const digest = digestOf(job);
    // A producer that names no definition takes the one that is there.
    if (digest === null || digest === this.#agents.get(job.agent)?.agent.digest) {
      return true;
    }
    const pin = this.#pins.get(job.agent);
    return pin?.known === digest && performance.now() - pin.atMs < pinnedMs;
  }

  /** Classifies the job; the agents' files are read again, for it may be of a newer definition. */
  async classify({ job }: LeasedJob): Promise<Ownership> {
    let present: readonly string[];
    try {
      await this.#reread();
      present = await this.#digestsOf(job.agent);
    } catch (error) {
      return { of: 'unknown', why: `its agent cannot be read at the moment: ${String(error)}` };
    }
    const digest = digestOf(job) ?? '';
    if (present.includes(digest)) return { of: 'own' };
    if (!this.#refreshing.isCurrent(job.agent)) {
      return { of: 'unknown', why: 'its agent cannot be used as its files are now' };
    }
    const body = bodyOf(job);
    // What cannot be read is reported when it is run.
    if (body === null) return { of: 'own' };
    const { madeIn, idBy } = body;
    const [place, isOneMachine] = [this.#place, this.#isOneMachine];
    if (madeIn !== undefined && isSamePlace(madeIn, place, isOneMachine)) {
      return { of: idBy === 'key' ? 'own' : 'older' };
    }
    return {
      of: 'foreign',
      key: definitionKey({ madeIn, digest }),
      why: this.#whyForeign(job, madeIn),
    };
  }

  #whyForeign({ agent }: Job, madeIn: Place | undefined): string {
    const [place, isOneMachine] = [this.#place, this.#isOneMachine];
    const at = madeIn === undefined ? 'somewhere else' : `in ${madeIn.dir}`;
    const isElsewhere = madeIn !== undefined && !isOneMachine && madeIn.host !== place.host;
    const on = isElsewhere ? ` on ${madeIn.host}` : '';
    const fix = madeIn === undefined ? 'where its agent is' : 'there';
    return `made ${at}${on} with another definition of agent "${agent}" than ${place.dir} has; run it ${fix}, or cancel it and enqueue it here`;
  }

  /** The job that does the work of an older one: all that it is stays, but for the definition. */
  async followUp({ job }: LeasedJob, input: unknown): Promise<Job> {
    const [agents, queue] = [this.#agents, this.#queue];
    const present = agents.get(job.agent);
    const body = bodyOf(job);
    if (present === undefined || body === null) throw new Error(`no agent "${job.agent}"`);
    const { agent, provider } = present;
    const { runAtMs, expiresAtMs, priority, tags, source, createdAtMs } = job;
    let next = newJob({
      agent: agent.name,
      queue: agent.queue,
      attemptsMax: agent.retry.attempts,
      runAtMs,
      expiresAtMs,
      priority,
      tags,
      source,
      createdAtMs,
      input,
      agentDigest: (await this.#digestsOf(agent.name)).at(-1) ?? agent.digest,
      outputDir: body.outputDir ?? undefined,
      madeIn: body.madeIn,
      identity: body.idBy === 'random' ? { random: true } : 'content',
    });
    for (;;) {
      const [known] = await queue.inspect(next.id);
      if (known === undefined) return next;
      const { info } = known;
      const isSuperseded = readNote(info.note).supersededBy !== undefined;
      if (!isSuperseded && !(isExtract(info) && provider.kind !== 'offline')) return next;
      next = jobAfter(next);
    }
  }

  /**
   * Wakes the jobs of the queues that others put aside because they did not have their definition, and
   * this consumer has; resolves with their number.
   */
  async claim(queues: readonly string[]): Promise<number> {
    const [queue, isOneMachine] = [this.#queue, this.#isOneMachine];
    const agents = this.#agents;
    const parked: string[] = [];
    for (const name of queues) {
      for (const { parkKey } of await putAside(queue, name)) parked.push(parkKey);
    }
    if (parked.length === 0) return 0;
    const digests = (
      await Promise.all([...agents.keys()].map((name) => this.#digestsOf(name)))
    ).flat();
    const keys = new Set(
      parked.filter((key) => isKeyOf(key, this.#place, { digests, isOneMachine })),
    );
    let woken = 0;
    for (const key of keys) woken += await queue.signal(key);
    return woken;
  }

  /** Of the agent as it is now: its own, and with the contents of its knowledge, where it has any. */
  async #digestsOf(name: string): Promise<readonly string[]> {
    const agent = this.#agents.get(name)?.agent;
    if (agent === undefined) return [];
    return agent.knowledge.length === 0
      ? [agent.digest]
      : [agent.digest, await this.#pinned(agent)];
  }

  #pinned(agent: Agent): Promise<string> {
    const { name } = agent;
    const before = this.#pins.get(name);
    const atMs = performance.now();
    if (before !== undefined && atMs - before.atMs < pinnedMs) return before.digest;
    const digest = pinKnowledge(agent, this.#baseDir).then((pinned) => pinned.agent.digest);
    const pin: Pin = { digest, known: null, atMs };
    this.#pins.set(name, pin);
    const remember = async (): Promise<void> => {
      pin.known = await digest;
    };
    remember().catch(() => this.#pins.delete(name));
    return digest;
  }

  /** A reading that begins after the call; those who call meanwhile share the next one. */
  #reread(): Promise<void> {
    this.#nextReread ??= this.#rereading
      .catch(() => undefined)
      .then(() => {
        this.#nextReread = null;
        this.#pins.clear();
        this.#rereading = this.#refreshing.agents();
        return this.#rereading;
      });
    return this.#nextReread;
  }
}

/** Jobs of a queue that wait for a consumer that has their definition. */
export async function putAside(
  queue: Pick<JobQueue, 'list'>,
  name: string,
): Promise<{ readonly parkKey: string; readonly errorMessage: string }[]> {
  const found: { parkKey: string; errorMessage: string }[] = [];
  let seen = 0;
  let next: number | null = 0;
  while (next !== null && seen < parkedRowsMax) {
    const cursor: { before?: number } = next === 0 ? {} : { before: next };
    const filter = { queue: name, state: 'parked' as const, limit: limits.listRowsMax };
    const page = await queue.list({ ...filter, ...cursor });
    found.push(...page.jobs.filter(({ errorCode }) => errorCode === foreignCode));
    seen += page.jobs.length;
    next = page.next;
  }
  return found;
}

/** Hexadecimal; null for a job that names no definition. */
function digestOf({ agentDigest }: Job): string | null {
  if (agentDigest.every((byte) => byte === 0)) return null;
  return Buffer.from(agentDigest).toString('hex');
}

function bodyOf(job: Job): JobBody | null {
  try {
    return readJobBody(job);
  } catch {
    return null;
  }
}
