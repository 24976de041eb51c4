/** What the tests of the whole broker share: a folder with brokers in it, and peers that speak to them. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { type BrokerOptions, type RunningBroker, startBroker } from '../../../core/broker/index.ts';
import {
  type Delivery,
  encodeJob,
  idToText,
  type JobInfo,
  type LeaseToken,
  type Message,
  type MessageName,
  noUsage,
  type Settlement,
  type SettleOutcome,
} from '../../../core/protocol/index.ts';
import { Peer, temporaryFolder } from './net/peer.ts';

/** A distinct id for each number. */
export function idOf(number: number): string {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(0, number * 2654435761);
  new DataView(bytes.buffer).setUint32(12, number);
  return idToText(bytes);
}

export function jobBytes(number: number, queue = 'q'): Uint8Array<ArrayBuffer> {
  const job = {
    id: idOf(number),
    queue,
    digest: new Uint8Array(16).fill(7),
    body: new TextEncoder().encode(`{"input":{"number":${number}}}`),
    agent: 'agent',
    agentDigest: new Uint8Array(32),
    source: '',
    createdAtMs: 1,
    attemptsMax: 3,
    delayMs: 0,
  };
  return encodeJob(job, crc32);
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

export function settlement(token: LeaseToken, outcome: SettleOutcome = 'ack'): Settlement {
  const texts = { errorCode: '', errorMessage: '', note: '' };
  const unused = { result: null, output: null, prompts: null, enqueue: [], park: null };
  return { token, outcome, delayMs: 0, ...texts, usage: noUsage, ...unused };
}

/** A peer that says Hello on the broker's socket and asks. */
export class Asker {
  readonly peer: Peer;
  #correlationId = 1;

  private constructor(peer: Peer) {
    this.peer = peer;
  }

  /** @throws Error when the connection closes before HelloOk */
  static async open(dir: string, session: number): Promise<Asker> {
    const peer = new Peer({ path: join(dir, 'broker.sock') });
    await peer.hello({ session: idOf(1_000_000 + session) });
    return new Asker(peer);
  }

  /** Sends without waiting and returns the correlation id. */
  tell<N extends MessageName>(name: N, fields: Message<N>): number {
    const correlationId = ++this.#correlationId;
    this.peer.send(name, correlationId, fields);
    return correlationId;
  }

  /** Sends and waits for the answer's fields. */
  async ask<N extends MessageName, A extends MessageName>(
    name: N,
    fields: Message<N>,
    answerName: A,
  ): Promise<Message<A>> {
    const answer = await this.peer.answer(this.tell(name, fields));
    if (answer.name !== answerName) throw new Error(`${answer.name}: ${JSON.stringify(answer)}`);
    return answer.fields as Message<A>;
  }

  async enqueue(numbers: readonly number[], queue?: string): Promise<string[]> {
    const jobs = numbers.map((number) => jobBytes(number, queue));
    const { items } = await this.ask('Enqueue', { atomic: false, jobs }, 'EnqueueOk');
    return items.map((item) => item.outcome);
  }

  async subscribe(credit: number, queues = ['q']): Promise<void> {
    await this.ask('Subscribe', { queues, credit }, 'Ok');
  }

  /** Waits until so many jobs were delivered to it, and takes them. */
  async deliveries(count: number): Promise<Delivery[]> {
    const taken: Delivery[] = [];
    while (taken.length < count) {
      const message = await this.peer.answer(0);
      if (message.name === 'Deliver') taken.push(...message.fields.items);
    }
    return taken;
  }

  async settle(tokens: readonly LeaseToken[], outcome?: SettleOutcome): Promise<number[]> {
    const items = tokens.map((token) => settlement(token, outcome));
    const answer = await this.ask('Settle', { items }, 'SettleOk');
    return answer.items.map((item) => item.code);
  }

  async resume(tokens: readonly LeaseToken[]): Promise<number[]> {
    const answer = await this.ask('Resume', { tokens: [...tokens] }, 'ResumeOk');
    return answer.items.map((item) => item.code);
  }

  /** Everything that the broker tells about all of its jobs. */
  async list(): Promise<JobInfo[]> {
    const all: JobInfo[] = [];
    let before = 0;
    do {
      const request = { queue: null, state: null, before, limit: 1000 };
      const { jobs, next } = await this.ask('List', request, 'ListOk');
      all.push(...jobs);
      before = next;
    } while (before > 0);
    return all;
  }
}

/** A folder with a broker in it, in this process or in one of its own. */
export class Place {
  readonly #folder = temporaryFolder();
  readonly #brokers: RunningBroker[] = [];
  readonly #processes: ChildProcess[] = [];
  readonly #askers: Asker[] = [];

  get dir(): string {
    return this.#folder.path;
  }

  async start(options: Partial<BrokerOptions> = {}): Promise<RunningBroker> {
    const defaults = { dir: this.dir, unix: true, tcp: null, idleExitMs: null };
    const broker = await startBroker({ ...defaults, ...options });
    this.#brokers.push(broker);
    return broker;
  }

  /**
   * A broker process as `core/host` starts it. It serves as soon as `ask` gets through. `preload` is
   * code that runs before it.
   */
  spawn(args: readonly string[] = [], preload = ''): ChildProcess {
    const main = fileURLToPath(new URL('../../../core/broker/main.ts', import.meta.url));
    const first = `--import=data:text/javascript,${encodeURIComponent(preload)}`;
    const all = [first, main, '--dir', this.dir, ...args];
    const child = spawn(process.execPath, all, { stdio: 'ignore' });
    this.#processes.push(child);
    return child;
  }

  async asker(session: number): Promise<Asker> {
    const asker = await Asker.open(this.dir, session);
    this.#askers.push(asker);
    return asker;
  }

  /** Connects as soon as a broker listens. */
  async patientAsker(session: number): Promise<Asker> {
    for (;;) {
      try {
        return await this.asker(session);
      } catch {
        await setTimeout(2);
      }
    }
  }

  /** All jobs that a new broker finds in this folder, by id. */
  async recovered(): Promise<Map<string, JobInfo>> {
    const broker = await this.start();
    const asker = await this.asker(999_999);
    const jobs = await asker.list();
    await asker.peer.close();
    await broker.stop();
    return new Map(jobs.map((job) => [job.id, job]));
  }

  async remove(): Promise<void> {
    for (const { peer } of this.#askers) await peer.close();
    for (const broker of this.#brokers) await broker.stop();
    for (const child of this.#processes.filter(isRunning)) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    this.#folder.remove();
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
