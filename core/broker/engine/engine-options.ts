/** Options and callbacks of an `Engine`. */

import type { BrokerClock } from '../broker-clock.ts';
import type { ConnectionId, Outgoing } from '../events.ts';
import type { Recovered } from '../folder/start-progress.ts';
import type { Scheduler, SummaryMaker } from '../log/contract.ts';
import type { Disk } from '../log/disk/disk.ts';
import type { CoreOptions } from '../state-machine/context/core.ts';
import type { CoreEvent, Effect, StatsFields } from '../state-machine/context/effects.ts';
import type { MessageSink } from './outbox.ts';

export interface EngineOptions {
  readonly core: Omit<CoreOptions, 'crc32'>;
  /** Folder of the log. */
  readonly dir: string;
  readonly segmentBytesMax: number;
  /** Makes summaries of segments elsewhere than on this event loop. */
  readonly makeSummary?: SummaryMaker;
  /** Bytes of memory for recently written or read batches of the log. */
  readonly cacheBytesMax?: number;
  readonly disk?: Disk;
  readonly scheduler?: Scheduler;
  readonly clock: BrokerClock;
  /** Receives messages whose records are durable, in order. */
  readonly send: (messages: Outgoing[]) => void;
  /** The thread that writes to the connection; without it there is no back pressure. */
  readonly sinkOf?: (connection: ConnectionId) => MessageSink;
  /** Completes the response to Stats with what only the caller knows. */
  readonly statsAnswer: (stats: StatsFields) => Outgoing;
  readonly onSearch: (effect: EffectOf<'search'>) => void;
  readonly onShutdown: () => void;
  /** Every record up to this offset is durable. */
  readonly onDurable: (offset: number) => void;
  /** The disk became full, or has room again. */
  readonly onDiskFull: (full: boolean) => void;
  /** Awaited before the log drops records up to this offset. */
  readonly beforeDrop?: (offset: number) => Promise<void>;
  readonly onNotice: (text: string) => void;
  /** A client affected others; `kind` in the plural. Called often: the receiver limits it. */
  readonly onAccess: (kind: string, text: string) => void;
  /** Progress of recovery. */
  readonly onRecovered?: (recovered: Recovered) => void;
  /** The engine stopped after an error and sends nothing more. */
  readonly onFailure: (error: Error) => void;
}

export type EffectOf<T extends Effect['type']> = Extract<Effect, { type: T }>;

/** Bytes that an event adds to the log permanently. */
export function newBytes(event: CoreEvent): number {
  if (event.type === 'request' && event.request.name === 'BlobPut') {
    return event.request.fields.chunk.length;
  }
  if (event.type !== 'enqueue') return 0;
  return event.jobs.reduce((sum, job) => sum + (job.ok ? job.bytes.length : 0), 0);
}

/** Bytes of values that are stored even in full mode, because they were paid for. */
export function valueBytes(event: CoreEvent): number {
  if (event.type !== 'request') return 0;
  const { request } = event;
  if (request.name === 'JournalPut') return request.fields.value.inline?.length ?? 0;
  if (request.name === 'PlainSettle') {
    return request.fields.items.reduce((sum, { result }) => sum + (result?.inline?.length ?? 0), 0);
  }
  if (request.name !== 'Settle') return 0;
  return request.fields.items.reduce((sum, { result, prompts, output }) => {
    const values = [result, prompts, ...(output?.files ?? []).map(({ content }) => content)];
    return values.reduce((bytes, value) => bytes + (value?.inline?.length ?? 0), sum);
  }, 0);
}
