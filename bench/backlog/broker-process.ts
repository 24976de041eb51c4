/** A broker in a process of its own, to be stopped, killed, started again and weighed. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { brokerEnvironment, brokerNodeFlags } from '../../core/host/index.ts';
import { type JobQueue, openQueue } from '../../core/job-queue/index.ts';
import { listens } from '../measure/listens.ts';

const main = fileURLToPath(new URL('../../core/broker/main.ts', import.meta.url));
const startMs = 120_000;
const requestMs = 60_000;
/** Memory that was freed goes back to the system some time later. */
const restMs = 5_000;

export class BrokerProcess {
  readonly #dir: string;
  readonly #child: ChildProcess;
  #said = '';

  private constructor(dir: string, child: ChildProcess) {
    this.#dir = dir;
    this.#child = child;
    child.stderr?.on('data', (text: Buffer) => (this.#said += text.toString()));
  }

  static start(dir: string): BrokerProcess {
    const args = [main, '--dir', dir, '--idle-exit-ms', '3600000'];
    return new BrokerProcess(
      dir,
      spawn(process.execPath, [...brokerNodeFlags, ...args], {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: brokerEnvironment(),
      }),
    );
  }

  /**
   * Connects as soon as somebody listens.
   * @throws Error with what the broker said when it ends before
   */
  async connect(): Promise<JobQueue> {
    const socket = join(this.#dir, 'broker.sock');
    const endMs = performance.now() + startMs;
    while (!(await listens(socket))) {
      const isOver = this.#child.exitCode !== null || performance.now() > endMs;
      if (isOver) throw new Error(`the broker does not listen: ${this.#said}`);
      await sleep(2);
    }
    return openQueue({
      broker: `unix:${socket}`,
      tokenFile: null,
      clientName: 'bench',
      connectDeadlineMs: requestMs,
    });
  }

  /** Bytes of memory that the process occupies: the least over some seconds of rest. */
  async restingBytes(): Promise<number> {
    let least = Number.POSITIVE_INFINITY;
    for (const endMs = performance.now() + restMs; performance.now() < endMs; await sleep(250)) {
      const status = await readFile(`/proc/${this.#child.pid}/status`, 'utf8');
      least = Math.min(least, Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024);
    }
    return least;
  }

  /** SIGTERM lets it close its log; SIGKILL leaves all to the next start. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill(signal);
    await once(this.#child, 'exit');
  }
}
