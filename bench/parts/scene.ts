/** One peer on stage: its server on fresh data, and its client processes, all ended afterwards. */

import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClientProcess } from '../client/client-process.ts';
import type { Orders, Shape, Watched } from '../client/orders.ts';
import { withFolder } from '../measure/temporary.ts';
import type { Peer, Server } from '../server/peer.ts';

export interface Scene {
  readonly peer: Peer;
  readonly settings: Settings;
  /** What earlier repetitions found out: the faster shapes, how many jobs last for a window. */
  readonly memory: Map<string, Shape | number>;
}

export interface Settings {
  readonly windowMs: number;
  /** Before each window. */
  readonly warmUpMs: number;
  /** Of the longest backlog. */
  readonly backlogJobs: number;
}

export const jobBytes = 1_024;
export const oneByOne: Shape = { batch: 1, calls: 64 };
const checkMs = 120_000;

export class Stage {
  readonly queue = 'bench';
  readonly dir: string;
  readonly #peer: Peer;
  #server: Server;
  #clients: ClientProcess[] = [];

  private constructor(peer: Peer, dir: string, server: Server) {
    this.#peer = peer;
    this.dir = dir;
    this.#server = server;
  }

  /** Runs `act` beside a fresh server, which gets `prefix` before its command. */
  static with<T>(
    peer: Peer,
    act: (stage: Stage) => Promise<T>,
    prefix?: (base: string) => readonly string[],
  ): Promise<T> {
    return withFolder(async (base) => {
      // Some servers run under an account of their own.
      await chmod(base, 0o711);
      const dir = join(base, 'data');
      const options = prefix === undefined ? { dir } : { dir, prefix: prefix(base) };
      const stage = new Stage(peer, dir, await peer.start(options));
      try {
        return await act(stage);
      } finally {
        await stage.end('kill');
      }
    });
  }

  get server(): Server {
    return this.#server;
  }

  /** A process that has not connected yet. */
  async spareClient(): Promise<ClientProcess> {
    const client = await ClientProcess.start(this.#peer.name);
    this.#clients.push(client);
    return client;
  }

  async client(connections = 1): Promise<ClientProcess> {
    const client = await this.spareClient();
    await client.ask('open', this.opening(connections));
    return client;
  }

  opening(connections: number): Orders['open']['takes'] {
    return { address: this.#server.address, connections, queue: this.queue };
  }

  /** Lets them give back what they hold. */
  async closeClients(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.ask('close', null)));
    this.killClients();
  }

  killClients(): void {
    for (const client of this.#clients) client.kill();
    this.#clients = [];
  }

  async end(how: 'stop' | 'kill'): Promise<void> {
    this.killClients();
    await this.#server.process[how]();
  }

  /** On the data that it left. */
  async startAgain(): Promise<void> {
    this.#server = await this.#peer.start({ dir: this.dir });
  }

  /** What clients did for so long, and what the server took for it. */
  async window(clients: readonly ClientProcess[], ms: number): Promise<Window> {
    const before = this.#server.process.cpuMicros();
    const watched = await Promise.all(clients.map((client) => client.ask('watch', { ms })));
    return { watched, serverMicros: this.#server.process.cpuMicros() - before };
  }

  /** A rate of jobs that are not there would mean nothing. @throws Error when they are not there soon */
  async checkWaiting(client: ClientProcess, jobs: number): Promise<void> {
    let found = -1;
    for (const endMs = performance.now() + checkMs; performance.now() < endMs; await sleep(20)) {
      found = await client.ask('waiting', { queue: this.queue });
      if (found === jobs) return;
    }
    throw new Error(`${this.#peer.title} holds ${found} jobs, ${jobs} were acknowledged`);
  }
}

export interface Window {
  /** Of each client. */
  readonly watched: readonly Watched[];
  /** Processor time of the server, microseconds. */
  readonly serverMicros: number;
}

export function perSecond({ jobs, ms }: Pick<Watched, 'jobs' | 'ms'>): number {
  return (jobs * 1_000) / ms;
}
