/** The parent's side of a client process. */

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Answer, Envelope, OrderName, Orders } from './orders.ts';

const main = fileURLToPath(new URL('main.ts', import.meta.url));

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class ClientProcess {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #onTaken: (count: number) => void = () => undefined;
  #number = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (answer: Answer) => this.#take(answer));
    child.once('exit', () => {
      for (const { reject } of this.#pending.values()) reject(new Error('a client process ended'));
    });
  }

  static async start(peer: string): Promise<ClientProcess> {
    const client = new ClientProcess(fork(main, [peer]));
    await client.#answer(0);
    return client;
  }

  ask<Name extends OrderName>(
    name: Name,
    takes: Orders[Name]['takes'],
  ): Promise<Orders[Name]['answers']> {
    const number = ++this.#number;
    // To one that has ended nothing is sent; what waits for it was rejected.
    this.#child.send({ number, name, takes } satisfies Envelope, () => undefined);
    const answer = this.#answer(number) as Promise<Orders[Name]['answers']>;
    // A failure shows where it is awaited, which may be some windows later.
    answer.catch(() => undefined);
    return answer;
  }

  /** Called every few milliseconds with how many jobs were taken in all. */
  onTaken(listener: (count: number) => void): void {
    this.#onTaken = listener;
  }

  /** Its connections go with it. */
  kill(): void {
    this.#pending.clear();
    this.#child.kill('SIGKILL');
  }

  #answer(number: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#pending.set(number, { resolve, reject });
    });
  }

  #take(answer: Answer): void {
    if ('taken' in answer) {
      this.#onTaken(answer.taken);
      return;
    }
    const pending = this.#pending.get(answer.number);
    this.#pending.delete(answer.number);
    if ('error' in answer) pending?.reject(new Error(answer.error));
    else pending?.resolve(answer.value);
  }
}
