/** A broker as `aiq broker start` runs it, in a folder of its own, and the processes around it. */

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Deeds, Orders } from './attacker.ts';
import type { Seen, Window } from './good-client.ts';
import type { Where } from './peer.ts';

const aiq = fileURLToPath(new URL('../../bin/aiq.js', import.meta.url));
const attacker = fileURLToPath(new URL('./attacker.ts', import.meta.url));
const goodClient = fileURLToPath(new URL('./good-client.ts', import.meta.url));
/** Of a MiB. */
const kilobytes = 1024;

export class Stage {
  readonly #base: string;
  readonly #broker: ChildProcess;
  #said = '';
  #pid = 0;
  #peakMiB = 0;
  #port = 0;
  #good: ChildProcess | undefined;

  private constructor(base: string) {
    this.#base = base;
    const args = [aiq, 'broker', 'start', '--dir', this.dir, '--listen', 'tcp://127.0.0.1:0'];
    this.#broker = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#broker.stderr?.on('data', (text: Buffer) => {
      this.#said = (this.#said + text.toString()).slice(-4_000);
    });
  }

  /** @throws Error with what the broker said when it does not serve */
  static async open(): Promise<Stage> {
    const stage = new Stage(await mkdtemp(join(tmpdir(), 'aiq-hostile-')));
    const endpoints = join(stage.dir, 'endpoints.json');
    while (!existsSync(endpoints)) {
      if (!stage.isAlive()) throw new Error(`the broker ended: ${stage.said}`);
      await sleep(10);
    }
    const { pid, tcp } = JSON.parse(readFileSync(endpoints, 'utf8')) as {
      pid: number;
      tcp: { port: number };
    };
    stage.#pid = pid;
    stage.#port = tcp.port;
    return stage;
  }

  get dir(): string {
    return join(this.#base, '.aiq');
  }

  get unix(): Where {
    return { path: join(this.dir, 'broker.sock') };
  }

  get tcp(): Where {
    return { host: '127.0.0.1', port: this.#port };
  }

  /** The end of what it wrote to standard error. */
  get said(): string {
    return this.#said;
  }

  isAlive(): boolean {
    return this.#broker.exitCode === null && this.#broker.signalCode === null;
  }

  /** Memory that the broker occupies now, and the most since `forgetPeak`, in MiB. */
  memory(): { nowMiB: number; peakMiB: number } {
    if (!this.isAlive()) return { nowMiB: 0, peakMiB: this.#peakMiB };
    const status = readFileSync(`/proc/${this.#pid}/status`, 'utf8');
    const of = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / kilobytes;
    this.#peakMiB = Math.max(this.#peakMiB, of('VmHWM'));
    return { nowMiB: of('VmRSS'), peakMiB: this.#peakMiB };
  }

  forgetPeak(): void {
    writeFileSync(`/proc/${this.#pid}/clear_refs`, '5');
    this.#peakMiB = 0;
  }

  /** One window of the good client, which is the same process for all windows. */
  async good(seconds: number): Promise<Seen> {
    this.#good ??= await this.#helper(goodClient);
    const window: Window = { unix: this.unix, seconds };
    return ask<Seen>(this.#good, window);
  }

  /** A process that attacks, or burns; it is ended early when `isTooMuch`. */
  async attack(
    orders: Omit<Orders, 'unix' | 'tcp'>,
    isTooMuch: () => boolean = () => false,
  ): Promise<Deeds> {
    const child = await this.#helper(attacker);
    const watch = setInterval(() => {
      if (isTooMuch()) child.kill('SIGKILL');
    }, 50);
    try {
      return await ask<Deeds>(child, { ...orders, unix: this.unix, tcp: this.tcp });
    } finally {
      clearInterval(watch);
      child.kill('SIGKILL');
    }
  }

  async close(): Promise<void> {
    this.#good?.kill('SIGKILL');
    if (this.isAlive()) {
      const ended = once(this.#broker, 'exit');
      this.#broker.kill('SIGKILL');
      await ended;
    }
    await rm(this.#base, { recursive: true, force: true });
  }

  async #helper(file: string): Promise<ChildProcess> {
    const child = fork(file, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    await once(child, 'message');
    return child;
  }
}

const nothing: Deeds = { counts: {}, processorShare: 0 };

/** What a process that ended instead of answering is taken to have said: nothing. */
async function ask<A>(child: ChildProcess, question: object): Promise<A> {
  const { promise, resolve } = Promise.withResolvers<A>();
  child.once('message', (answer) => resolve(answer as A));
  child.once('exit', () => resolve(nothing as A));
  child.send(question);
  return promise;
}
