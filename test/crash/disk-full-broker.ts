/**
 * A broker that gets too little disk: on a small file system of its own, mounted in a name space
 * that goes away with the process, or under a limit on the size of its files.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { patienceMs } from '../support/patience.ts';

const main = fileURLToPath(new URL('../../core/broker/main.ts', import.meta.url));

/** A mount of our own needs the right to make name spaces: root has it, and users where the kernel lets them. */
const inNameSpace = ['unshare', '--mount', '--map-root-user'];
const onSmallDisk = [
  'mount -t tmpfs -o size="$1" tmpfs "$0"',
  'head -c "$2" /dev/zero > "$0/filler"',
  'exec "$3" "$4" --dir "$0/.aiq" --idle-exit-ms 600000',
].join(' && ');

export const canMount: boolean =
  process.platform === 'linux' && succeeds([...inNameSpace, 'mount', '-t', 'tmpfs', 'x', '/mnt']);
export const canLimit: boolean =
  process.platform === 'linux' && succeeds(['prlimit', '--fsize=1000000', 'true']);

function succeeds([file = '', ...args]: string[]): boolean {
  return spawnSync(file, args, { stdio: 'ignore' }).status === 0;
}

export class PoorBroker {
  readonly #child: ChildProcess;
  /** The broker's folder as this process sees it. */
  readonly dir: string;
  #said = '';

  private constructor(dir: string, child: ChildProcess) {
    this.dir = dir;
    this.#child = child;
    child.stderr?.on('data', (text: Buffer) => (this.#said += text.toString()));
  }

  /**
   * On a tmpfs that is mounted over `folder`, part of it taken by another file; we reach it through
   * the process's own root.
   */
  static async onSmallDisk(
    folder: string,
    { diskBytes, fillerBytes }: { readonly diskBytes: number; readonly fillerBytes: number },
  ): Promise<PoorBroker> {
    const sizes = [String(diskBytes), String(fillerBytes)];
    const args = ['sh', '-c', onSmallDisk, folder, ...sizes, process.execPath, main];
    const [file = '', ...options] = [...inNameSpace, ...args];
    const child = spawn(file, options, { stdio: ['ignore', 'ignore', 'pipe'] });
    const broker = new PoorBroker(join(`/proc/${child.pid}/root`, folder, '.aiq'), child);
    return await broker.#listening();
  }

  /** With a limit on the bytes of a file, or without. */
  static async withFileLimit(dir: string, fileBytesMax: number | null): Promise<PoorBroker> {
    const limit = fileBytesMax === null ? [] : ['prlimit', `--fsize=${fileBytesMax}`];
    const command = [...limit, process.execPath, main, '--dir', dir, '--idle-exit-ms', '600000'];
    const [file = '', ...args] = command;
    const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    return await new PoorBroker(dir, child).#listening();
  }

  /** The file that takes part of a small disk. */
  get filler(): string {
    return join(this.dir, '../filler');
  }

  get address(): string {
    return `unix:${join(this.dir, 'broker.sock')}`;
  }

  /** What it wrote to standard error. */
  get said(): string {
    return this.#said;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The exit code once it ended by itself. */
  async ended(): Promise<number | null> {
    if (this.isRunning) await once(this.#child, 'exit');
    return this.#child.exitCode;
  }

  async kill(): Promise<void> {
    if (!this.isRunning) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }

  async #listening(): Promise<this> {
    const endMs = performance.now() + patienceMs;
    while (!existsSync(join(this.dir, 'endpoints.json'))) {
      if (!this.isRunning) throw new Error(`the broker ended: ${this.#said}`);
      if (performance.now() > endMs) throw new Error(`the broker does not listen: ${this.#said}`);
      await sleep(20);
    }
    return this;
  }
}
