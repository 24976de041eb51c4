/** The broker of a folder, ended by SIGKILL only. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../core/broker/main.ts', import.meta.url));
const idleExitMs = 600_000;

export class KilledBroker {
  readonly #dir: string;
  #child: ChildProcess | null = null;
  #said = '';

  constructor(dir: string) {
    this.#dir = dir;
  }

  start(): void {
    const args = [main, '--dir', this.#dir, '--idle-exit-ms', String(idleExitMs)];
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#said = '';
    this.#child.stderr?.on('data', (text: Buffer) => {
      this.#said = (this.#said + text.toString()).slice(-2_000);
    });
  }

  /** @throws Error when the broker had ended by itself: it refused to start, or stopped serving */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    if (child.exitCode !== null) {
      throw new Error(`the broker ended itself with ${child.exitCode}: ${this.#said}`);
    }
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}
