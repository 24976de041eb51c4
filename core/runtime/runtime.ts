/**
 * The consumer, put together: subscriptions, leases and settling in this thread, which nothing may
 * block; the work in a pool of worker threads. Owns the order in which all of it stops.
 */

import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startTimer } from '../base/index.ts';
import { chooseAgents } from './agents/agents.ts';
import { declareBudgets } from './agents/budgets.ts';
import { Claims } from './agents/claims.ts';
import { Definitions } from './agents/definitions.ts';
import { Reread } from './agents/reread.ts';
import { IsolatedRuns } from './isolated/isolated-runs.ts';
import { createGates, type Gates } from './leases/gates.ts';
import { Groups } from './leases/groups.ts';
import { JournalKeeper } from './leases/journal-keeper.ts';
import { LeaseSupervisor } from './leases/lease-supervisor.ts';
import { MoneyKeeper } from './leases/money-keeper.ts';
import { memoryLimits } from './memory-limits.ts';
import type { RunSummary, Runtime, RuntimeOptions } from './options.ts';
import { Projection } from './outputs/projection.ts';
import { Pool, type PoolOptions } from './pool/pool.ts';
import type { ThreadAgent } from './pool/thread-messages.ts';
import { probeProvider } from './providers/probe.ts';
import { ProviderHealth, type StuckReason } from './providers/provider-health.ts';
import { createRunStats } from './run-stats.ts';
import { untilEmpty } from './until-empty.ts';

/** Isolated jobs at one time: each is a whole process. */
const processesMax = 4;
const outageMsDefault = 10 * 60_000;
/** An outage before the first answer of a run is more likely a wrong address. */
const unansweredOutageMs = 30_000;
/** How long work may take to stop when it must, before its thread is ended. */
const stopMs = 2_000;
/** The same when a second signal demands haste, and the time for the last words to the broker. */
const hurriedStopMs = 200;
const hurriedCloseMs = 300;

/**
 * Subscribes and starts to work.
 * @throws AiqError when the broker cannot be reached, `CONFLICT` for a budget that it knows with other terms;
 *   OutputError when the output folder cannot be
 *   used; RangeError for options that make no sense
 */
export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  checkNumbers(options);
  const budgets = await declareBudgets(options.queue, options.budgets ?? [], options.agents);
  const known = { ...options, budgets };
  const agents = await chooseAgents(known);
  if (agents.size === 0) throw new RangeError('there is no agent that can run');
  const consumer = new ConsumerProcess(known, agents);
  try {
    await consumer.open();
  } catch (error) {
    await consumer.abort();
    throw error;
  }
  return consumer;
}

class ConsumerProcess implements Runtime {
  readonly done: Promise<RunSummary>;
  readonly #options: RuntimeOptions;
  readonly #agents: Map<string, ThreadAgent>;
  readonly #reread: Reread;
  readonly #definitions: Definitions;
  readonly #claims: Claims;
  readonly #health: ProviderHealth;
  readonly #gates: Gates;
  readonly #tally = createRunStats();
  readonly #pool: Pool;
  readonly #isolated: IsolatedRuns;
  readonly #journals: JournalKeeper;
  readonly #money: MoneyKeeper;
  readonly #projection: Projection;
  readonly #supervisor: LeaseSupervisor;
  readonly #hurry = Promise.withResolvers<'hurry'>();
  readonly #ended = Promise.withResolvers<RunSummary>();
  readonly #stop = new AbortController();
  #groups: Groups | null = null;
  #stopping: Promise<void> | null = null;
  #fatal: RunSummary['fatal'] = null;

  constructor(options: RuntimeOptions, agents: Map<string, ThreadAgent>) {
    this.#options = options;
    this.#agents = agents;
    this.done = this.#ended.promise;
    const { log, queue, threads, concurrency, outageMs = outageMsDefault } = options;
    this.#reread = new Reread(options, agents, () =>
      this.#stopping === null ? [this.#pool, this.#isolated, this.#health] : [],
    );
    this.#definitions = new Definitions(options, agents, this.#reread);
    this.#claims = new Claims({ queue, definitions: this.#definitions });
    this.#health = new ProviderHealth({
      probe: probeProvider,
      reload: () => this.#reread.all(),
      outage: { answeredMs: outageMs, unansweredMs: Math.min(outageMs, unansweredOutageMs) },
      log,
      onChange: () => this.#supervisor.resume(),
      onHeld: (agent) => this.#supervisor.returnWaiting(agent),
      onStuck: (reason) => options.onStuck?.(reason),
    });
    this.#gates = createGates(this.#health);
    const work = workOf(options, agents);
    const memory = memoryLimits();
    this.#pool = new Pool({
      ...work,
      ...memory.thread,
      threads,
      concurrency,
      onCrash: (message) => log.error({ message }, 'a worker thread died and is replaced'),
      onBroken: (message) => this.#fail('threads_fail', `worker threads do not start: ${message}`),
    });
    this.#isolated = new IsolatedRuns({
      ...work,
      ...memory.process,
      processesMax: Math.min(processesMax, concurrency),
      onCrash: (message) => log.error({ message }, 'a job that ran alone took its process down'),
    });
    this.#journals = new JournalKeeper({ queue, log, random: Math.random });
    this.#money = new MoneyKeeper({ log, random: Math.random });
    const { outputDir, jobOutputDirs = true } = options;
    this.#projection = new Projection({ queue, log, outputDir, jobOutputDirs });
    this.#supervisor = new LeaseSupervisor({
      pool: this.#pool,
      isolated: this.#isolated,
      journals: this.#journals,
      money: this.#money,
      outputs: this.#projection,
      gates: this.#gates,
      health: this.#health,
      definitions: this.#definitions,
      agents,
      log,
      onReport: (report) => {
        const { id, agent, outcome, state, errorCode, elapsedMs } = report;
        log.debug({ job: id, agent, outcome, state, errorCode, elapsedMs }, 'lease ended');
        this.#tally.add(report);
        options.onJob?.(report);
      },
      onChange: () => this.#groups?.adjust(),
    });
  }

  async open(): Promise<void> {
    const { queue, concurrency } = this.#options;
    await this.#projection.open(this.#options.outputDir);
    this.#pool.warm();
    this.#groups = await Groups.open({
      queue,
      agents: this.#agents,
      concurrency,
      gates: this.#gates,
      health: this.#health,
      load: (group) => this.#supervisor.load(group),
      onDelivery: (leased, group) => this.#supervisor.take(leased, group),
      onLeaseLost: (leased, code) =>
        code === 'BAD_STATE'
          ? this.#supervisor.lose(leased, 'cancelled', 'the job was cancelled')
          : this.#supervisor.lose(leased, 'lease_lost', `its lease was lost (${code})`),
    });
    this.#claims.start(this.#queues());
    void this.#catchUp();
  }

  /** A broker that cannot be asked now is asked by the next consumer, and at the end of a run. */
  async #catchUp(): Promise<void> {
    try {
      await this.#projection.catchUp();
    } catch (error) {
      this.#options.log.debug({ error: String(error) }, 'unwritten results were not looked for');
    }
  }

  #queues(): string[] {
    return [...new Set(this.#groups?.all.flatMap((group) => group.queues))];
  }

  get counts(): RunSummary['counts'] {
    return this.#tally.counts(this.#supervisor.held);
  }

  drain(): Promise<void> {
    this.#stopping ??= this.#shutDown();
    return this.#stopping;
  }

  abort(): Promise<void> {
    this.#hurry.resolve('hurry');
    return this.drain();
  }

  async untilEmpty(): Promise<RunSummary> {
    const { queue } = this.#options;
    const reason = await untilEmpty({
      queue,
      queues: this.#queues(),
      claim: (rows) => this.#claims.wake(rows),
      idle: () => this.#supervisor.idle(),
      stuckReason: (name) => this.#stuckReason(name),
      stopped: this.#stop.signal,
    });
    await this.#catchUp();
    await this.#projection.idle();
    if (reason !== null) this.#fail(reason.code, reason.message);
    await this.drain();
    return this.done;
  }

  /** Why no agent here can work on the queue's jobs; null when one can. */
  #stuckReason(queue: string): StuckReason | null {
    const agents = [...this.#agents.values()].filter(({ agent }) => agent.queue === queue);
    const reasons = agents.map((agent) => this.#health.stuckReason(agent));
    return reasons.every((reason) => reason !== null) ? (reasons[0] ?? null) : null;
  }

  #fail(code: string, message: string): void {
    if (this.#fatal !== null) return;
    this.#fatal = { code, message };
    void this.drain();
  }

  async #shutDown(): Promise<void> {
    this.#stop.abort();
    this.#claims.stop();
    this.#health.close();
    this.#groups?.shut();
    this.#supervisor.returnWaiting();
    const idle = this.#supervisor.idle();
    const hurry = this.#hurry.promise;
    const atMost = (ms: number, hurriedMs: number): Promise<unknown> =>
      Promise.race([pause(ms), hurry.then(() => pause(hurriedMs))]);
    await Promise.race([idle, atMost(this.#options.graceMs, 0)]);
    this.#supervisor.stopAll();
    await Promise.race([idle, atMost(stopMs, hurriedStopMs)]);
    this.#supervisor.markShuttingDown();
    await Promise.all([this.#pool.close(), this.#isolated.close()]);
    // The last outcomes go out, and then the sessions: what they still hold returns uncharged.
    const said = Promise.all([idle, this.#journals.idle()])
      .then(() => this.#money.idle())
      .then(() => this.#projection.idle());
    await Promise.race([said, atMost(stopMs, hurriedCloseMs)]);
    this.#journals.close();
    this.#money.close();
    await Promise.race([this.#projection.close(), atMost(stopMs, hurriedCloseMs)]);
    await Promise.race([this.#close(), atMost(stopMs, hurriedCloseMs)]);
    const { usage, elapsedMs } = this.#tally;
    this.#ended.resolve({ counts: this.counts, usage, elapsedMs, fatal: this.#fatal });
  }

  async #close(): Promise<void> {
    try {
      await this.#groups?.close();
    } catch (error) {
      this.#options.log.warn({ error: String(error) }, 'the session did not end cleanly');
    }
  }
}

/** What every place of work is given: the pool's threads, and the processes of isolated jobs. */
function workOf(
  { limits, outputDir, baseDir = process.cwd(), jobOutputDirs = true }: RuntimeOptions,
  agents: ReadonlyMap<string, ThreadAgent>,
): Pick<PoolOptions, 'entry' | 'data'> {
  return {
    // Named after this file, because the published package is JavaScript.
    entry: new URL(
      `./attempt/job-thread${extname(fileURLToPath(import.meta.url))}`,
      import.meta.url,
    ),
    data: { agents: [...agents.values()], ...limits, baseDir, outputDir, jobOutputDirs },
  };
}

/** A pause that keeps no process alive: it only bounds the wait for something that does. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    startTimer(ms, resolve, { keepsAlive: false });
  });
}

function checkNumbers({ concurrency, threads, graceMs }: RuntimeOptions): void {
  for (const [name, value] of Object.entries({ concurrency, threads })) {
    if (Number.isSafeInteger(value) && value >= 1 && value <= 1000) continue;
    throw new RangeError(`${name} must be a whole number from 1 to 1000, not ${value}`);
  }
  if (!(graceMs >= 0)) throw new RangeError(`graceMs must be 0 or more, not ${graceMs}`);
}
