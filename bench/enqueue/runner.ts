/** One side of a comparison as a whole: its server and its client, both processes of their own. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Order, Outcome } from './producer.ts';
import { type Server, type Side, startServer } from './servers.ts';

export const warmUpMs = 500;
/** Of windows that only choose between settings. */
export const trialMs = 700;

/** A side with its server and its client, both running. */
export class Runner {
  readonly side: Side;
  readonly #server: Server;
  readonly #client: ChildProcess;
  #windows = 0;

  private constructor(side: Side, server: Server, client: ChildProcess) {
    this.side = side;
    this.#server = server;
    this.#client = client;
  }

  static async start(side: Side, dir: string, options: RunnerOptions): Promise<Runner> {
    const { folder, pipelining = 'plain', traceFile } = options;
    const server = await startServer(side, dir, traceFile);
    const client = fork(process.argv[1] ?? '', [side, server.socket, folder, pipelining]);
    await answerOf(client);
    return new Runner(side, server, client);
  }

  async run(order: Partial<Order> & Pick<Order, 'shape'>): Promise<Outcome> {
    const queue = `bench-${this.#windows++}`;
    const whole = { warmUpMs, runMs: trialMs, jobsMax: Number.MAX_SAFE_INTEGER, ...order, queue };
    this.#client.send(whole);
    return (await answerOf(this.#client)) as Outcome;
  }

  async stop(): Promise<void> {
    this.#client.disconnect();
    await this.#server.stop();
  }
}

export interface RunnerOptions {
  readonly folder: string;
  readonly pipelining?: 'plain' | 'auto';
  readonly traceFile?: string;
}

async function answerOf(client: ChildProcess): Promise<unknown> {
  const left = new AbortController();
  const onExit = (): void => left.abort(new Error('the client ended'));
  client.once('exit', onExit);
  try {
    const [answer] = (await once(client, 'message', { signal: left.signal })) as [unknown];
    return answer;
  } finally {
    client.off('exit', onExit);
  }
}
