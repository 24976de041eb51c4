/**
 * A broker on a disk in memory whose work comes in bursts: between two of them the log has time to come
 * to rest, and what was written and freed meanwhile is counted in bytes of its files.
 */

import { createHash } from 'node:crypto';
import { setImmediate as nextRound } from 'node:timers/promises';
import { BrokerClock } from '../../../../core/broker/broker-clock.ts';
import { Engine } from '../../../../core/broker/engine/engine.ts';
import type { CheckedJob, NetEvent } from '../../../../core/broker/events.ts';
import {
  type LeaseToken,
  type Message,
  type MessageName,
  noUsage,
  type Settlement,
} from '../../../../core/protocol/index.ts';
import type { LogAtRest } from '../../../support/log/log-rest.ts';
import { MemoryDisk } from '../../../support/log/memory-disk.ts';
import { idOf, testOptions } from '../state-machine/driver.ts';

const { crc32: _, ...core } = testOptions;

/** What compaction did from the end of a burst until the log was at rest. */
export interface Rest extends LogAtRest {
  /** Bytes that it wrote, frames and marks included. */
  readonly writtenBytes: number;
  /** Bytes of the segments that went. */
  readonly removedBytes: number;
}

export class RestRig {
  readonly disk: MemoryDisk;
  readonly segmentBytesMax: number;
  readonly failures: Error[] = [];
  engine!: Engine;
  #removedBytes = 0;
  #correlationId = 0;
  #wallMs = 1_000_000;
  readonly #timers = new Set<() => void>();

  private constructor(segmentBytesMax: number, disk: MemoryDisk) {
    this.segmentBytesMax = segmentBytesMax;
    this.disk = disk;
    disk.before = (operation, path) => {
      if (operation === 'remove' && path.endsWith('.log')) {
        this.#removedBytes += disk.get(path).length;
      }
    };
  }

  static async open(
    segmentBytesMax: number,
    disk: MemoryDisk = new MemoryDisk(),
  ): Promise<RestRig> {
    const rig = new RestRig(segmentBytesMax, disk);
    await rig.#start();
    return rig;
  }

  async #start(): Promise<void> {
    const { engine } = await Engine.open({
      core: { ...core, newHash: () => createHash('sha256'), leaseMs: 3_600_000 },
      dir: '/log',
      segmentBytesMax: this.segmentBytesMax,
      disk: this.disk,
      clock: this.#newClock(),
      scheduler: {
        afterThisRound: () => nextRound(),
        after: (__, callback) => {
          this.#timers.add(callback);
          return () => this.#timers.delete(callback);
        },
      },
      send: () => undefined,
      statsAnswer: () => {
        throw new Error('nobody asks here');
      },
      onSearch: () => undefined,
      onShutdown: () => undefined,
      onAccess: () => undefined,
      onDurable: () => undefined,
      onDiskFull: () => undefined,
      onNotice: () => undefined,
      onFailure: (error) => this.failures.push(error),
    });
    this.engine = engine;
    const hello = {
      session: idOf(77),
      client: 'test',
      proof: new Uint8Array(0),
      features: 0,
      frameBytesMax: 4 * 1024 * 1024,
    };
    const correlationId = ++this.#correlationId;
    this.#handle({ type: 'opened', connection: 1, transport: 'unix', correlationId, hello });
  }

  #newClock(): BrokerClock {
    const ms = (): number => this.#wallMs;
    const source = { monotonicMs: ms, wallMs: ms, uptimeMs: ms };
    return new BrokerClock({ source, stepMsMax: 2 * 3_600_000, onNotice: () => undefined });
  }

  async restart(): Promise<void> {
    await this.engine.close();
    await this.#start();
  }

  request<N extends MessageName>(name: N, fields: Message<N>): void {
    const request = { name, correlationId: ++this.#correlationId, fields } as never;
    this.#handle({ type: 'request', connection: 1, request });
  }

  enqueue(jobs: readonly CheckedJob[]): void {
    const correlationId = ++this.#correlationId;
    this.#handle({ type: 'enqueue', connection: 1, correlationId, atomic: false, jobs });
  }

  /** Time goes by, and what is due by then is done: it is part of the burst. */
  pass(ms: number): void {
    this.#wallMs += ms;
    this.#fireTimers();
  }

  settle(token: LeaseToken, outcome: Settlement['outcome'], more: Partial<Settlement> = {}): void {
    const texts = { errorCode: outcome === 'ack' ? '' : 'test', errorMessage: '', note: '' };
    const rest = {
      delayMs: 0,
      usage: noUsage,
      result: null,
      output: null,
      prompts: null,
      enqueue: [],
      park: null,
    };
    this.request('Settle', { items: [{ token, outcome, ...texts, ...rest, ...more }] });
  }

  /** Waits until everything is durable and nothing more is written or freed, and counts. */
  async rest(): Promise<Rest> {
    const { engine } = this;
    const before = this.#filesBytes() + engine.log.unwrittenBytes;
    const removedBefore = this.#removedBytes;
    for (let calm = 0, round = 0; calm < 30 && round < 60_000; round++) {
      const sizes = this.#filesBytes();
      // All timers are due: the polls of the disk, and what the core has left to do.
      if (round % 10 === 0) this.#fireTimers();
      await nextRound();
      const isCalm =
        engine.compactor?.isRunning === false &&
        engine.log.unwrittenBytes === 0 &&
        sizes === this.#filesBytes();
      calm = isCalm ? calm + 1 : 0;
    }
    const removedBytes = this.#removedBytes - removedBefore;
    return {
      writtenBytes: this.#filesBytes() + removedBytes - before,
      removedBytes,
      segmentBytes: engine.log.segments.map(({ bytes }) => bytes),
      segmentBytesMax: this.segmentBytesMax,
      liveBytes: engine.compactor?.liveBytes ?? 0,
      isAtRest: engine.compactor?.isRunning === false,
    };
  }

  #fireTimers(): void {
    const due = [...this.#timers];
    this.#timers.clear();
    this.#wallMs += 1;
    for (const callback of due) callback();
  }

  #filesBytes(): number {
    let bytes = 0;
    for (const [path, file] of this.disk.files) {
      if (path.endsWith('.log')) bytes += file.bytes.length;
    }
    return bytes;
  }

  #handle(event: NetEvent): void {
    this.engine.handle([event]);
  }
}
