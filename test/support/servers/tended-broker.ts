/**
 * The broker of a folder that is killed and moved under its feet. Whatever ends it, it is started
 * again where the folder is then.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { brokerEnvironment, brokerNodeFlags } from '../../../core/host/index.ts';
import { until } from '../project.ts';

const main = fileURLToPath(new URL('../../../core/broker/main.ts', import.meta.url));
const idleExitMs = 3_600_000;
const lookEveryMs = 20;

export class TendedBroker {
  /** Where the folder is now; null while it is on its way. */
  dir: string | null;
  /** Every end that nobody asked for and no move explains. */
  readonly problems: string[] = [];
  starts = 0;
  /** Times that it ended by itself because its folder was gone. */
  left = 0;
  #child: ChildProcess | null = null;
  #said = '';
  #wasMoved = false;
  #wasKilled = false;
  #isTended = true;
  readonly #flags: readonly string[];
  readonly #tending: Promise<void>;

  /** @param flags of the process, beside those that it needs */
  constructor(dir: string, flags: readonly string[] = []) {
    this.dir = dir;
    this.#flags = flags;
    this.#tending = this.#tend();
  }

  /** Pid of the process that runs now, or null. */
  get pid(): number | null {
    return this.#isRunning() ? (this.#child?.pid ?? null) : null;
  }

  /**
   * Called before its folder is moved: none is started until it has arrived, and one that is about to
   * open the path is ended, since it might open another folder there.
   */
  async departs(): Promise<void> {
    this.dir = null;
    this.#wasMoved = true;
    if (!this.#said.includes('serving')) await this.kill();
  }

  arrived(dir: string): void {
    this.dir = dir;
  }

  /** Waits until the process that had the folder before it was moved is gone. */
  async hasLeft(): Promise<void> {
    const child = this.#child;
    const hasGone = async (): Promise<boolean> => child !== this.#child || !this.#isRunning();
    await until('a broker to leave', hasGone).catch(async () => {
      this.problems.push('a broker went on at the path of another folder');
      await this.kill();
    });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null || !this.#isRunning()) return;
    const ended = once(child, 'exit');
    this.#wasKilled = true;
    child.kill('SIGKILL');
    await ended;
  }

  /** Ends it for good. */
  async end(): Promise<void> {
    this.#isTended = false;
    await this.#tending;
    await this.kill();
  }

  /** Memory that it occupies, in MiB; null while none runs. */
  memoryMiB(): number | null {
    if (this.pid === null) return null;
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(status) ?? [];
    return kilobytes === undefined ? null : Number(kilobytes) / 1024;
  }

  /** Name, size and time of the last write of each file of its log. */
  logFiles(): string {
    const log = join(this.dir ?? '', 'log');
    const files = readdirSync(log).filter((name) => name.endsWith('.log'));
    return files
      .map((name) => {
        const { size, mtimeMs } = statSync(join(log, name));
        return `${name} ${size} ${mtimeMs}`;
      })
      .join('; ');
  }

  #isRunning(): boolean {
    const child = this.#child;
    return child !== null && child.exitCode === null && child.signalCode === null;
  }

  async #tend(): Promise<void> {
    while (this.#isTended) {
      if (!this.#isRunning()) {
        this.#note();
        if (this.dir !== null) this.#start(this.dir);
      }
      await sleep(lookEveryMs);
    }
  }

  #note(): void {
    const child = this.#child;
    this.#child = null;
    if (child === null) return;
    if (this.#wasKilled) return;
    if (this.#wasMoved) this.left++;
    else {
      const end = child.exitCode ?? child.signalCode;
      this.problems.push(`the broker ended itself with ${end}: ${this.#said}`);
    }
  }

  #start(dir: string): void {
    this.#wasMoved = false;
    this.#wasKilled = false;
    this.#said = '';
    this.starts++;
    const args = ['--dir', dir, '--idle-exit-ms', `${idleExitMs}`, ...this.#flags];
    this.#child = spawn(process.execPath, [...brokerNodeFlags, main, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: brokerEnvironment(),
    });
    this.#child.stderr?.on('data', (text: Buffer) => {
      this.#said = (this.#said + text.toString()).slice(-1_000);
    });
  }
}
