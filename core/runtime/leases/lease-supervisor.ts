/**
 * Every lease of this process from delivery to its end: starts the work when gates and threads
 * allow, settles what comes back, and drops what was lost. A lease that is over is never settled.
 */

import type { Verdict } from '../../health/index.ts';
import type { LeasedJob, Settle } from '../../job-queue/index.ts';
import { foreignCode } from '../agents/definitions.ts';
import type { Journal } from '../attempt/journal.ts';
import type { StopReason } from '../attempt/result.ts';
import type { Prepared, WrittenFiles } from '../outputs/projection.ts';
import type { RunEnd } from '../pool/run.ts';
import type { ThreadAgent } from '../pool/thread-messages.ts';
import { prepareEnd, writeSettled } from './files.ts';
import { askingThrough } from './gates.ts';
import { type GroupLoad, GroupLoads } from './group-loads.ts';
import type { Group } from './groups.ts';
import type { RunMoney } from './money-keeper.ts';
import { PutOffs } from './put-offs.ts';
import { type EndFields, endOf, lostEnd, refusedEnd } from './report.ts';
import { answerTo } from './settle.ts';
import { type SettledJob, settleOf, supersededSettle } from './settlement.ts';
import type { LeaseSupervisorOptions } from './supervisor-options.ts';
import { requestOf, type Task, unknownAgent } from './task.ts';
import { WaitingTasks } from './waiting-tasks.ts';

/** An attempt that does not stop by itself at its deadline loses its thread after this time. */
const hardGraceMs = 15_000;
const suspected = 'it failed while other jobs of its model succeeded, so it runs after them';

const plainEnding = { verdict: null, prepared: null };

type Ending = Pick<SettledJob, 'verdict'> & { readonly prepared: Prepared | null };

export class LeaseSupervisor {
  readonly #options: LeaseSupervisorOptions;
  readonly #tasks = new Map<LeasedJob, Task>();
  readonly #waiting = new WaitingTasks();
  readonly #loads = new GroupLoads();
  readonly #putOffs = new PutOffs();
  #idleWaiters: (() => void)[] = [];
  #threadsDie = false;
  #wake: NodeJS.Timeout | undefined;

  constructor(options: LeaseSupervisorOptions) {
    this.#options = options;
  }

  /** Number of leases held. */
  get held(): number {
    return this.#tasks.size;
  }

  load(group: Group): GroupLoad {
    return this.#loads.of(group);
  }

  take(leased: LeasedJob, group: Group): void {
    const known = this.#options.agents.get(leased.job.agent);
    const agent = known ?? this.#options.agents.get(group.agents[0] ?? '');
    if (agent === undefined) return;
    const takenAtMs = performance.now();
    const { definitions } = this.#options;
    const purpose = (definitions?.isOwn(leased) ?? true) ? 'work' : null;
    const task: Task = { leased, group, agent, purpose, takenAtMs, run: null, state: 'held' };
    this.#tasks.set(leased, task);
    const load = this.load(group);
    load.held += 1;
    load.waiting += 1;
    if (known === undefined) void this.#settle(task, unknownAgent(leased), null);
    else if (this.#options.health.isShut(agent)) this.#sendBack(task);
    else if (purpose === null) void this.#classify(task, definitions);
    else this.#enter(task);
  }

  /** The lease is not ours any more: its work stops and nothing is settled. */
  lose(leased: LeasedJob, reason: StopReason, why: string): void {
    const task = this.#tasks.get(leased);
    if (task?.state !== 'held') return;
    task.run?.stop(reason);
    this.#close(task);
    this.#report(task, { ...lostEnd, errorCode: reason, errorMessage: why });
  }

  /** Starts what may start now, and lets the credits follow. */
  resume(): void {
    this.#pump();
  }

  /** Hands back what has not begun: all of it, or that of an agent's provider and model. */
  returnWaiting(of: ThreadAgent | null = null): void {
    for (const task of this.#tasks.values()) {
      const { provider, model } = task.agent;
      const isOf = of === null || (provider === of.provider && model === of.model);
      const isWaiting = task.state === 'held' && task.run === null;
      if (isOf && isWaiting) this.#end(task, { type: 'unstarted' });
    }
  }

  /** Stops all work; leases are handed back as it ends. */
  stopAll(): void {
    for (const task of this.#tasks.values()) task.run?.stop('shutdown');
  }

  /** From now on the death of a thread is our own doing: its jobs are handed back. */
  markShuttingDown(): void {
    this.#threadsDie = true;
  }

  /** Resolves as soon as no lease is held. */
  idle(): Promise<void> {
    if (this.#tasks.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idleWaiters.push(resolve);
    });
  }

  /** The job may be worked on, as soon as there is room. */
  #enter(task: Task): void {
    this.#waiting.add(task);
    this.#pump();
  }

  /** Starts what the gates allow, in order of delivery. */
  #pump(): void {
    const { gates, onChange } = this.#options;
    clearTimeout(this.#wake);
    const hasRoom = (agent: ThreadAgent): boolean => gates.room(agent) >= 1;
    for (;;) {
      const task = this.#waiting.next(hasRoom);
      if (task === null) break;
      this.#waiting.delete(task);
      if (this.#isPutOff(task)) this.#putOff(task, suspected);
      else void this.#work(task);
    }
    const wakeMs = this.#waiting.opensInMs((agent) => gates.opensInMs(agent));
    if (wakeMs !== Infinity) this.#wake = setTimeout(() => this.#pump(), wakeMs);
    onChange();
  }

  /** Whose the job is, by the definition that it was made with. */
  async #classify(task: Task, definitions: LeaseSupervisorOptions['definitions']): Promise<void> {
    const { leased } = task;
    const ownership = await definitions?.classify(leased);
    if (ownership === undefined || task.state !== 'held') return;
    if (ownership.of === 'unknown') return this.#putOff(task, ownership.why);
    if (ownership.of === 'foreign') {
      const { key: park, why: errorMessage } = ownership;
      const settle = { outcome: 'returned', errorCode: foreignCode, errorMessage, park } as const;
      return this.#settle(task, settle, null);
    }
    task.agent = this.#options.agents.get(leased.job.agent) ?? task.agent;
    task.purpose = ownership.of === 'older' ? 'move' : 'work';
    this.#enter(task);
  }

  /** The old job ends and the one that does its work begins, in one settle. */
  async #move(task: Task, input: unknown): Promise<void> {
    try {
      const next = await this.#options.definitions?.followUp(task.leased, input);
      if (next === undefined || task.state !== 'held') return;
      await this.#settle(task, supersededSettle(task.leased.job, next), null);
    } catch (error) {
      this.#putOff(task, `it cannot be moved to the present definition: ${String(error)}`);
    }
  }

  /** Suspects run after all others of their provider and model that are here. */
  #isPutOff({ agent, leased }: Task): boolean {
    if (!this.#options.health.isPutOff(agent, leased.job.id)) return false;
    const isOther = (other: Task): boolean =>
      other.leased.job.id !== leased.job.id &&
      other.agent.provider === agent.provider &&
      other.agent.model === agent.model &&
      !this.#options.health.isPutOff(other.agent, other.leased.job.id);
    return [...this.#tasks.values()].some(isOther);
  }

  /**
   * The job of a provider that is held waits in the broker, where it can be seen. Where others share
   * its subscription it would come back at once, so it is put off.
   */
  #sendBack(task: Task): void {
    const { agents, health } = this.#options;
    const others = task.group.agents.flatMap((name) => agents.get(name) ?? []);
    if (others.every((agent) => health.isShut(agent))) this.#end(task, { type: 'unstarted' });
    else this.#putOff(task, 'its provider is held');
  }

  #putOff(task: Task, why: string): void {
    void this.#settle(task, this.#putOffs.settle(task.leased.job.id, why), null);
  }

  async #work(task: Task): Promise<void> {
    const { gates, health, pool, isolated, outputs } = this.#options;
    const { agent, leased, group } = task;
    const money = this.#options.money.of(leased, group.consumer);
    const started = gates.started(agent);
    health.started(agent, leased.job.id);
    task.run = (leased.isolated ? isolated : pool).run(requestOf(task), {
      hardLimitMs: agent.agent.limits.timeoutMs + hardGraceMs,
      services: {
        journal: this.#journalOf(task, money),
        money: askingThrough(money, started, () => this.#pump()),
        outputs,
      },
    });
    this.load(group).waiting -= 1;
    const ran = await task.run.end;
    money.end();
    started.ended();
    // At once: what the provider answered says whether the next call may start.
    const verdict = this.#verdictOf(task, ran);
    const { end, prepared } = await prepareEnd(outputs, leased.job.id, ran);
    if (task.state === 'held') {
      const isOurDoing = this.#threadsDie && end.type !== 'finished';
      const input = end.type === 'finished' && !end.result.ok ? end.result.input : undefined;
      if (input !== undefined) void this.#move(task, input);
      else this.#end(task, isOurDoing ? { type: 'unstarted' } : end, { verdict, prepared });
    } else prepared?.release();
    this.#pump();
  }

  /** What is kept is what a call brought: its provider answers. */
  #journalOf({ agent, leased, group }: Task, money: RunMoney): Journal {
    const { health, journals } = this.#options;
    const journal = journals.of(leased, group.consumer, money);
    return {
      get: (callHash) => journal.get(callHash),
      put: (...entry) => {
        health.answered(agent, leased.job.id);
        return journal.put(...entry);
      },
    };
  }

  /** Whose fault a failure was, when it may be the provider's. */
  #verdictOf({ agent, leased: { job } }: Task, end: RunEnd): Verdict | null {
    const { health } = this.#options;
    const failure = end.type === 'finished' && !end.result.ok ? end.result.failure : null;
    const verdict = failure === null ? null : health.failed(agent, job.id, failure);
    if (verdict === null) health.ended(agent, job.id);
    return verdict;
  }

  #end(task: Task, end: RunEnd, { verdict, prepared }: Ending = plainEnding): void {
    const { attempt, job } = task.leased;
    const { retry } = task.agent.agent;
    const elapsedMs = performance.now() - task.takenAtMs;
    const { random } = Math;
    const settle = settleOf(end, { retry, attempt, elapsedMs, verdict, prepared, random });
    if (settle.outcome === 'ack' || settle.outcome === 'final') this.#putOffs.forget(job.id);
    void this.#settle(task, settle, end).finally(() => prepared?.release());
  }

  async #settle(task: Task, settle: Settle, end: RunEnd | null): Promise<void> {
    task.state = 'settling';
    this.#waiting.delete(task);
    const { answer, said } = await answerTo(task, settle);
    const written = answer.ok ? await this.#write(task, said) : null;
    this.#close(task);
    const ended = answer.ok ? endOf(said, { end, written }, answer.state) : refusedEnd(answer);
    this.#report(task, ended);
  }

  /** The lease is over, and its place is taken until the files are there. */
  async #write({ group, leased: { job } }: Task, said: Settle): Promise<WrittenFiles | null> {
    const { outputs, onChange } = this.#options;
    const load = this.load(group);
    load.writing += 1;
    onChange();
    const written = await writeSettled(outputs, job.id, said);
    load.writing -= 1;
    return written;
  }

  #close(task: Task): void {
    task.state = 'over';
    this.#waiting.delete(task);
    this.#tasks.delete(task.leased);
    const load = this.load(task.group);
    load.held -= 1;
    if (task.run === null) load.waiting -= 1;
    this.#options.onChange();
    if (this.#tasks.size > 0) return;
    clearTimeout(this.#wake);
    for (const waiter of this.#idleWaiters.splice(0)) waiter();
  }

  #report({ leased, takenAtMs }: Task, fields: EndFields): void {
    const { id, agent, source } = leased.job;
    const elapsedMs = Math.round(performance.now() - takenAtMs);
    const { attempt } = leased;
    this.#options.onReport({ id, agent, source, attempt, elapsedMs, ...fields });
  }
}
