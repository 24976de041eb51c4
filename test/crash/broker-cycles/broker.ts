/** The broker of a folder, ended by SIGKILL only. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../../core/broker/main.ts', import.meta.url));
const threaded = fileURLToPath(new URL('../threaded-broker.ts', import.meta.url));
const idleExitMs = 600_000;

interface Address {
  readonly broker: string;
  readonly tokenFile: string | null;
}

export class KilledBroker {
  readonly #args: readonly string[];
  readonly #addresses: readonly Address[];
  #child: ChildProcess | null = null;
  #said = '';

  /** With more than one I/O thread it listens on TCP as well. */
  static async of(dir: string, threads: number): Promise<KilledBroker> {
    const unix = { broker: `unix:${join(dir, 'broker.sock')}`, tokenFile: null };
    if (threads === 1) {
      return new KilledBroker([main, '--dir', dir, '--idle-exit-ms', `${idleExitMs}`], [unix]);
    }
    const port = await freePort();
    const tcp = { broker: `tcp://127.0.0.1:${port}`, tokenFile: join(dir, 'token') };
    return new KilledBroker([threaded, dir, `${threads}`, `${port}`], [unix, tcp]);
  }

  private constructor(args: readonly string[], addresses: readonly Address[]) {
    this.#args = args;
    this.#addresses = addresses;
  }

  /** Clients take its addresses in turns. */
  address(client: number): Address {
    return this.#addresses[client % this.#addresses.length]!;
  }

  start(): void {
    this.#child = spawn(process.execPath, [...this.#args], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#said = '';
    this.#child.stderr?.on('data', (text: Buffer) => {
      this.#said = (this.#said + text.toString()).slice(-2_000);
    });
  }

  /** @throws Error when the broker ended by itself: it refused to start, or stopped serving */
  assertServing(): void {
    const code = this.#child?.exitCode ?? null;
    if (code !== null) throw new Error(`the broker ended itself with ${code}: ${this.#said}`);
  }

  /** @throws Error like `assertServing` */
  async kill(): Promise<void> {
    this.assertServing();
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

/** A port that the system gives away and that is the broker's over all its lives. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
