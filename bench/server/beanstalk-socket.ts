/** A socket to beanstalkd: commands are pipelined, answers come in their order. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface BeanstalkAnswer {
  /** The words of the first line. */
  readonly words: readonly string[];
  /** What follows it, where something does. */
  readonly body: string;
}

const lineEnd = '\r\n';

export class BeanstalkSocket {
  readonly #socket: Socket;
  readonly #waiting: ((answer: BeanstalkAnswer) => void)[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #outgoing = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay();
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
  }

  static async open(port: number): Promise<BeanstalkSocket> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new BeanstalkSocket(socket);
  }

  /** Commands of one tick leave in one write. @throws Error when the answer is another one */
  async ask(command: string, expected: string): Promise<BeanstalkAnswer> {
    const { promise, resolve } = Promise.withResolvers<BeanstalkAnswer>();
    if (this.#outgoing === '') process.nextTick(() => this.#flush());
    this.#outgoing += `${command}${lineEnd}`;
    this.#waiting.push(resolve);
    const answer = await promise;
    if (answer.words[0] !== expected) throw new Error(`beanstalkd: ${answer.words.join(' ')}`);
    return answer;
  }

  close(): void {
    this.#socket.destroy();
  }

  #flush(): void {
    this.#socket.write(this.#outgoing);
    this.#outgoing = '';
  }

  #take(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    for (;;) {
      const end = all.indexOf(lineEnd, at);
      if (end < 0) break;
      const words = all.toString('latin1', at, end).split(' ');
      const bodyAt = end + lineEnd.length;
      const hasBody = words[0] === 'RESERVED' || words[0] === 'OK';
      const bodyBytes = hasBody ? Number(words.at(-1)) : 0;
      const next = hasBody ? bodyAt + bodyBytes + lineEnd.length : bodyAt;
      if (next > all.length) break;
      this.#waiting.shift()?.({ words, body: all.toString('utf8', bodyAt, bodyAt + bodyBytes) });
      at = next;
    }
    this.#rest = all.subarray(at);
  }
}
