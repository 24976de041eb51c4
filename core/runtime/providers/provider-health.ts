/**
 * Drives the health function for every provider key and model of this consumer: keeps the states,
 * probes a provider that is held, has what a person may have mended read again, and logs what is
 * wrong in one line.
 */

import {
  type Health,
  type HealthEvent,
  isHeld,
  isPutOff,
  needsPerson,
  newHealth,
  type OutagePatience,
  opensAtMs,
  type ProbeResult,
  type ProviderFailure,
  roomOf,
  step,
  type Verdict,
  wantsProbe,
} from '../../health/index.ts';
import type { JobFailure } from '../attempt/result.ts';
import type { RuntimeLog } from '../options.ts';
import type { ThreadAgent } from '../pool/thread-messages.ts';

export interface ProviderHealthOptions {
  /** Asks the provider for its models: free, and classified by what it proves. */
  readonly probe: (agent: ThreadAgent) => Promise<ProbeResult>;
  /** Reads configuration, environment and agents again, and puts what changed into use. */
  readonly reload: () => Promise<void>;
  readonly outage: OutagePatience;
  readonly log: Pick<RuntimeLog, 'info' | 'warn'>;
  /** What may start has changed. */
  readonly onChange: () => void;
  /** Jobs of the agent's provider and model are held from now on. */
  readonly onHeld: (agent: ThreadAgent) => void;
  /** Waiting alone will not help any more; called once for each hold. */
  readonly onStuck: (reason: StuckReason) => void;
  readonly nowMs?: () => number;
}

/** Why jobs can only wait for a person. */
export interface StuckReason {
  readonly code: string;
  readonly message: string;
}

interface Entry {
  health: Health;
  /** Any of the agents that use it. */
  agent: ThreadAgent;
  isProbing: boolean;
  isReportedStuck: boolean;
}

/** While something is held, what a person may have mended is read again this often. */
const reloadMs = 2_000;

export class ProviderHealth {
  readonly #options: ProviderHealthOptions;
  readonly #nowMs: () => number;
  readonly #entries = new Map<string, Entry>();
  #wake: NodeJS.Timeout | undefined;
  #reloading: NodeJS.Timeout | undefined;
  #isClosed = false;
  #isChanged = false;

  constructor(options: ProviderHealthOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** How many jobs of the agent may start now, as far as its provider goes. */
  room(agent: ThreadAgent): number {
    const entry = this.#entries.get(keyOf(agent));
    return entry === undefined ? Infinity : roomOf(entry.health, this.#nowMs());
  }

  /** Whether the agent's jobs wait for its provider, and none may even try it now. */
  isShut(agent: ThreadAgent): boolean {
    const entry = this.#entries.get(keyOf(agent));
    return entry !== undefined && isHeld(entry.health) && this.room(agent) === 0;
  }

  /** Milliseconds until time alone may change `room`; null when it will not. */
  opensInMs(agent: ThreadAgent): number | null {
    const entry = this.#entries.get(keyOf(agent));
    if (entry === undefined) return null;
    const nowMs = this.#nowMs();
    const atMs = opensAtMs(entry.health, nowMs);
    return atMs === null ? null : Math.ceil(atMs - nowMs);
  }

  /** Whether the job should wait as long as others of its model are at hand. */
  isPutOff(agent: ThreadAgent, job: string): boolean {
    const entry = this.#entries.get(keyOf(agent));
    return entry !== undefined && isPutOff(entry.health, job);
  }

  /** Why the agent's jobs wait for a person; null when they do not. */
  stuckReason(agent: ThreadAgent): StuckReason | null {
    const entry = this.#entries.get(keyOf(agent));
    if (entry === undefined) return null;
    const { health } = entry;
    return needsPerson(health, this.#nowMs(), this.#options.outage) ? reasonOf(health) : null;
  }

  started(agent: ThreadAgent, job: string): void {
    this.#apply(agent, { type: 'started', job });
  }

  answered(agent: ThreadAgent, job: string): void {
    this.#apply(agent, { type: 'answered', job });
  }

  /** The job's work is over, and its provider was not at fault. */
  ended(agent: ThreadAgent, job: string): void {
    this.#apply(agent, { type: 'ended', job });
  }

  /** Whose fault the failure was; null when it is not one of a provider. */
  failed(agent: ThreadAgent, job: string, cause: JobFailure): Verdict | null {
    const failure = providerFailures[cause.class];
    if (failure === null) return null;
    const { code, message, retryAfterMs } = cause;
    return this.#apply(agent, { type: 'failed', job, failure, code, message, retryAfterMs });
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#wake);
    clearTimeout(this.#reloading);
  }

  #apply(agent: ThreadAgent, event: HealthEvent): Verdict | null {
    const entry = this.#entryOf(agent);
    const before = entry.health;
    const { health, verdict } = step(before, event, this.#nowMs());
    entry.health = health;
    this.#report(entry, before);
    this.#schedule();
    if (health.status !== 'ok' || before.status !== 'ok') this.#changed();
    return verdict;
  }

  /** Notifies once this event is over: the owner may then start jobs, which are events again. */
  #changed(): void {
    if (this.#isChanged) return;
    this.#isChanged = true;
    queueMicrotask(() => {
      this.#isChanged = false;
      if (!this.#isClosed) this.#options.onChange();
    });
  }

  #entryOf(agent: ThreadAgent): Entry {
    const key = keyOf(agent);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const health = newHealth(this.#nowMs());
    const entry: Entry = { health, agent, isProbing: false, isReportedStuck: false };
    this.#entries.set(key, entry);
    return entry;
  }

  #report(entry: Entry, before: Health): void {
    const { health, agent } = entry;
    if (health.status === before.status && health.code === before.code) return;
    const { log, onHeld } = this.#options;
    const { name } = agent.provider;
    const fields = { provider: name, model: agent.model };
    if (health.status === 'ok') {
      entry.isReportedStuck = false;
      const afterMs = Math.round(this.#nowMs() - before.sinceMs);
      if (isHeld(before)) log.warn({ ...fields, afterMs }, 'the provider answers again: going on');
    } else if (health.status === 'throttled') {
      const forMs = Math.round(health.untilMs - this.#nowMs());
      log.warn({ ...fields, forMs }, 'the provider throttles: waiting, nothing is charged');
    } else {
      log.warn(fields, `held, nothing is charged: ${health.message}`);
      if (!isHeld(before)) onHeld(agent);
    }
  }

  /** One timer for all: the next probe, the next trial, and the moment from which a person is needed. */
  #schedule(): void {
    clearTimeout(this.#wake);
    if (this.#isClosed) return;
    const nowMs = this.#nowMs();
    let waitMs = Infinity;
    for (const entry of this.#entries.values()) {
      const { health } = entry;
      if (!isHeld(health)) continue;
      waitMs = Math.min(waitMs, this.#attend(entry, nowMs));
    }
    if (waitMs === Infinity) {
      clearTimeout(this.#reloading);
      this.#reloading = undefined;
      return;
    }
    this.#reloading ??= setTimeout(() => void this.#reload(), reloadMs);
    this.#wake = setTimeout(() => this.#schedule(), Math.max(1, Math.ceil(waitMs)));
  }

  /** Does what is due for a held provider, and returns how long nothing more will be. */
  #attend(entry: Entry, nowMs: number): number {
    const { health } = entry;
    const { outage, onStuck } = this.#options;
    let waitMs = Infinity;
    if (needsPerson(health, nowMs, outage)) {
      if (!entry.isReportedStuck) onStuck(reasonOf(health));
      entry.isReportedStuck = true;
    } else {
      const patienceMs = health.answeredAtMs === null ? outage.unansweredMs : outage.answeredMs;
      waitMs = Math.min(waitMs, health.sinceMs + patienceMs - nowMs);
    }
    if (wantsProbe(health, nowMs)) void this.#probe(entry);
    else if (health.untilMs > nowMs) waitMs = Math.min(waitMs, health.untilMs - nowMs);
    // A trial or a probe that is under way ends by itself; this is only to come back at all.
    return Math.min(waitMs, reloadMs);
  }

  async #probe(entry: Entry): Promise<void> {
    if (entry.isProbing) return;
    entry.isProbing = true;
    const result = await this.#options.probe(entry.agent);
    entry.isProbing = false;
    if (!this.#isClosed) this.#apply(entry.agent, { type: 'probed', result });
  }

  async #reload(): Promise<void> {
    await this.#options.reload();
    this.#reloading = undefined;
    this.#schedule();
  }

  /** Agents use other providers or models now: what no agent uses any more is forgotten. */
  adopt(agents: Iterable<ThreadAgent>): void {
    const used = new Map([...agents].map((agent) => [keyOf(agent), agent]));
    for (const [key, entry] of this.#entries) {
      const agent = used.get(key);
      if (agent === undefined) this.#entries.delete(key);
      else entry.agent = agent;
    }
    this.#schedule();
    this.#changed();
  }
}

/** What is wrong belongs to an address, a key and a model, whatever agents and names are in front of them. */
function keyOf({ provider, model }: ThreadAgent): string {
  return JSON.stringify([provider.baseURL, provider.apiKey, model]);
}

function reasonOf({ code, message }: Health): StuckReason {
  return { code, message };
}

/** What each failure of a job says about its provider; null where it says nothing. */
const providerFailures: Readonly<Record<JobFailure['class'], ProviderFailure | null>> = {
  throttled: 'throttled',
  unavailable: 'unavailable',
  blocked: 'unavailable',
  misconfigured: 'misconfigured',
  exhausted: 'exhausted',
  transient: null,
  permanent: null,
  aborted: null,
  parked: null,
};
