/** A server as an own child process: started, waited for, weighed, stopped and killed. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuMicrosOf, memoryBytesOf, nameOf, treeOf } from '../measure/processes.ts';
import type { Account } from './account.ts';

const startMs = 180_000;
const stopMs = 60_000;

export interface Command {
  readonly words: readonly string[];
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Null for the own one. */
  readonly account?: Account | null;
  /** Command to put before, such as strace. */
  readonly prefix?: readonly string[] | undefined;
  /** True when the server accepts connections. */
  readonly isUp: () => Promise<boolean>;
  /** The signal for a clean end. */
  readonly stopSignal?: NodeJS.Signals;
  /** Name of the child that gets that signal; the process that is started when left out. */
  readonly leader?: string;
  /** Another process that it needs: ended together with it, and not counted. */
  readonly helper?: ServerProcess;
}

export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #command: Command;
  #said = '';

  private constructor(child: ChildProcess, command: Command) {
    this.#child = child;
    this.#command = command;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text: Buffer) => {
        this.#said = (this.#said + text.toString()).slice(-2_000);
      });
    }
  }

  /** @throws Error with what the server said when it ends, or does not answer in time */
  static async start(command: Command): Promise<ServerProcess> {
    const { words, cwd, env = process.env, account = null, prefix = [], isUp } = command;
    const as = account === null ? [] : account.command;
    const [file = '', ...args] = [...prefix, ...as, ...words];
    const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    // A command that is not there is noticed below.
    child.on('error', () => undefined);
    const server = new ServerProcess(child, command);
    const endMs = performance.now() + startMs;
    while (!(await isUp())) {
      if (child.pid === undefined || server.#hasEnded() || performance.now() > endMs) {
        await server.kill();
        await command.helper?.kill();
        throw new Error(`${words[0]} does not start: ${server.#said.trim()}`);
      }
      await sleep(5);
    }
    return server;
  }

  /** Processor time so far of all its threads and children, microseconds. */
  cpuMicros(): number {
    return cpuMicrosOf(this.#pid);
  }

  /** Memory of all its processes; what they share counts once. */
  memoryBytes(): number {
    return memoryBytesOf(this.#pid);
  }

  get pid(): number {
    return this.#pid;
  }

  /** Lets it close what is open. */
  async stop(): Promise<void> {
    const { leader, stopSignal = 'SIGTERM' } = this.#command;
    const isLeader = (pid: number): boolean => leader === undefined || nameOf(pid) === leader;
    await this.#end(treeOf(this.#pid).filter(isLeader).slice(0, 1), stopSignal);
  }

  /** Ends all its processes at once, as a crash would. */
  async kill(): Promise<void> {
    await this.#end(treeOf(this.#pid), 'SIGKILL');
  }

  async #end(pids: readonly number[], signal: NodeJS.Signals): Promise<void> {
    if (this.#child.pid === undefined || this.#hasEnded()) return;
    const ended = once(this.#child, 'exit');
    const tree = treeOf(this.#pid);
    for (const pid of pids) send(pid, signal);
    const timer = setTimeout(() => {
      for (const pid of tree) send(pid, 'SIGKILL');
    }, stopMs);
    await ended;
    clearTimeout(timer);
    // Its children follow, some milliseconds later.
    while (tree.some((pid) => send(pid, 0))) await sleep(5);
    await this.#command.helper?.kill();
  }

  get #pid(): number {
    return this.#child.pid ?? 0;
  }

  #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}

/** False when there is no such process. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** A port of loopback that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Makes the folder, for the account that the server runs under. */
export async function makeFolder(dir: string, account: Account | null = null): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  if (account !== null) await chown(dir, account.uid, account.gid);
}
