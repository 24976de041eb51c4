/** A broker and consumers that are killed, and started again at once, as processes of their own. */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCodes } from '../../core/cli/exit-codes.ts';
import type { Project } from '../support/project.ts';
import { TendedBroker } from '../support/servers/tended-broker.ts';

/** Short, so that what a lost consumer held comes back soon, also where the broker was lost with it. */
const leaseMs = 5_000;
const stderrCharsMax = 2_000;

export interface Crowd {
  readonly consumers: number;
  /** Jobs of one consumer at one time. */
  readonly places: number;
  /** From 0 to 1. */
  readonly random: () => number;
}

export class KilledCrowd {
  readonly #project: Project;
  readonly #crowd: Crowd;
  readonly #consumers: ChildProcess[] = [];
  readonly #killed = new Set<ChildProcess>();
  readonly #broker: TendedBroker;
  readonly #problems: string[] = [];
  consumerKills = 0;
  brokerKills = 0;
  #isOver = false;

  constructor(project: Project, crowd: Crowd) {
    this.#project = project;
    this.#crowd = crowd;
    this.#broker = new TendedBroker(join(project.dir, '.aiq'), ['--lease-ms', String(leaseMs)]);
  }

  /** Every end that nobody asked for. */
  get problems(): readonly string[] {
    return [...this.#broker.problems, ...this.#problems];
  }

  startConsumers(): void {
    for (let at = 0; at < this.#crowd.consumers; at++) this.#startConsumer(at);
  }

  /** Kills a consumer and the broker again and again, each at its times, until the signal aborts. */
  async unrest(every: { consumerMs: number; brokerMs: number }, signal: AbortSignal) {
    const again = async (everyMs: number, kill: () => Promise<void>): Promise<void> => {
      for (;;) {
        await sleep(everyMs, undefined, { signal }).catch(() => {});
        if (signal.aborted) return;
        await kill();
      }
    };
    await Promise.all([
      again(every.consumerMs, () => this.#killConsumer()),
      again(every.brokerMs, () => this.#killBroker()),
    ]);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    for (const child of this.#consumers) child.kill('SIGKILL');
    await this.#broker.end();
  }

  #startConsumer(at: number): void {
    const { child, finished } = this.#project.start(
      '-q',
      'run',
      '--concurrency',
      String(this.#crowd.places),
    );
    this.#consumers[at] = child;
    void this.#tend(at, { child, finished });
  }

  async #tend(at: number, { child, finished }: ReturnType<Project['start']>): Promise<void> {
    const { code, signal, stderr } = await finished;
    if (this.#killed.has(child) || this.#isOver) return;
    // It came while there was no broker, and starts none at this address.
    if (code === exitCodes.broker.code) this.#startConsumer(at);
    else {
      const said = stderr.slice(-stderrCharsMax);
      this.#problems.push(`a consumer ended by itself with ${code ?? signal}: ${said}`);
    }
  }

  async #killConsumer(): Promise<void> {
    const at = Math.floor(this.#crowd.random() * this.#crowd.consumers);
    const child = this.#consumers[at];
    if (child === undefined || child.exitCode !== null) return;
    this.#killed.add(child);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    this.consumerKills += 1;
    this.#startConsumer(at);
  }

  async #killBroker(): Promise<void> {
    if (this.#broker.pid === null) return;
    await this.#broker.kill();
    this.brokerKills += 1;
  }
}
