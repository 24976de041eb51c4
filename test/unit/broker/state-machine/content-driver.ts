/** Drives blobs and journals together, as the broker's core does, with jobs that a test makes up. */

import { createHash } from 'node:crypto';
import {
  type Request,
  type RequestContext,
  refuse,
} from '../../../../core/broker/state-machine/context/request.ts';
import { expireBlobs } from '../../../../core/broker/state-machine/lifecycle/blob-expiry.ts';
import { rewriteRecord } from '../../../../core/broker/state-machine/lifecycle/compaction.ts';
import {
  type BlobCore,
  getBlob,
  putBlob,
} from '../../../../core/broker/state-machine/requests/blob-requests.ts';
import {
  getEntry,
  type JournalJob,
  type Journals,
  notHeld,
  putEntry,
} from '../../../../core/broker/state-machine/requests/journal-requests.ts';
import {
  type Blobs,
  BlobUploads,
  type Hash,
} from '../../../../core/broker/state-machine/state/blob-uploads.ts';
import { BlobStore } from '../../../../core/broker/state-machine/state/blobs.ts';
import { JournalStore } from '../../../../core/broker/state-machine/state/journal.ts';
import {
  type BlobRef,
  idToText,
  type LeaseToken,
  limits,
  type Message,
  type Value,
} from '../../../../core/protocol/index.ts';
import { type Answered, type Apply, FakeCore } from './fake-core.ts';

export function newHash(): Hash {
  const hash = createHash('sha256');
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => Uint8Array.from(hash.digest()),
  };
}

export function refOf(content: Uint8Array): BlobRef {
  const hash = newHash();
  hash.update(content);
  return { sha256: hash.digest(), totalBytes: content.length };
}

/** Bytes that depend on `seed` and on their place, so that a mix-up shows. */
export function contentOf(seed: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8) + seed * 31) & 255);
}

/** A distinct id for each number. */
export function idOf(number: number): string {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(0, number);
  return idToText(bytes);
}

/** The hash of a call, for each number. */
export function callOf(number: number): Uint8Array {
  return refOf(Uint8Array.of(number & 255, number >> 8)).sha256;
}

export function inline(text: string): Value {
  return { inline: new TextEncoder().encode(text), blob: null };
}

export class ContentDriver {
  nowMs = 1_000_000;
  readonly core: FakeCore;
  readonly blobs: Blobs;
  readonly journals: Journals & { readonly jobs: Map<string, JournalJob> };

  constructor(core: FakeCore = new FakeCore(() => undefined), bytesMax = Infinity) {
    this.core = core;
    const store = new BlobStore();
    this.blobs = { store, uploads: new BlobUploads(newHash), bytesMax };
    this.journals = {
      store: new JournalStore(store),
      blobs: store,
      jobs: new Map(),
      due: () => null,
      // Session 1 has, and had, every lease.
      holds: (session) => session === idOf(1),
      checkPastLease: (caller) => refuse(caller, notHeld.code, notHeld.message),
    };
    core.apply = this.apply;
  }

  readonly apply: Apply = (record, offset) => {
    const { kind } = record;
    if (kind === 'blobChunk' || kind === 'blobStored' || kind === 'blobDropped') {
      this.blobs.store.apply(record, offset);
    } else if (kind === 'journaled') this.journals.store.apply(record, offset);
    else if (kind === 'forgotten') for (const id of record.ids) this.journals.store.drop(id);
    else throw new Error(`not about content: ${kind}`);
  };

  put(fields: Message<'BlobPut'>, session = 1): Answered {
    return this.core.ask(idOf(session), this.nowMs, (caller) =>
      putBlob(this.#blobRequest<'BlobPut'>(caller, fields)),
    );
  }

  /** One chunk of a blob of which the content is known. */
  putPart(content: Uint8Array, from: number, to: number, session = 1): Answered {
    const chunk = content.subarray(from, to);
    return this.put({ ...refOf(content), offset: from, chunk }, session);
  }

  /** All of a blob; returns the last answer. */
  putAll(content: Uint8Array, chunkBytes: number = limits.blobChunkBytesMax): Answered {
    let answered: Answered | undefined;
    for (let from = 0; from < content.length; from += chunkBytes) {
      answered = this.putPart(content, from, from + chunkBytes);
    }
    if (answered === undefined) throw new Error('an empty blob');
    return answered;
  }

  get(ref: BlobRef, offset = 0, bytesMax = 0xffff_ffff): Answered {
    const fields = { sha256: ref.sha256, offset, bytesMax };
    return this.core.ask(idOf(1), this.nowMs, (caller) =>
      getBlob(this.#blobRequest<'BlobGet'>(caller, fields)),
    );
  }

  /** The whole content, as a client reads it. */
  readAll(ref: BlobRef, bytesMax = 0xffff_ffff): Uint8Array {
    const whole = new Uint8Array(ref.totalBytes);
    for (let at = 0; at < whole.length; ) {
      const { name, fields } = this.get(ref, at, bytesMax);
      if (name !== 'BlobData') throw new Error(`the blob cannot be read: ${name}`);
      const { chunk } = fields as Message<'BlobData'>;
      if (chunk.length === 0) throw new Error('no bytes came');
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }

  /** An hour passes, unnoticed before and after. */
  tick(afterMs = 0, max = 1000): void {
    this.nowMs += afterMs;
    expireBlobs(this.core, this.blobs, this.nowMs, max);
  }

  /** Compaction read the record at that offset. */
  move(offset: number): void {
    const state = { blobs: this.blobs.store, journal: this.journals.store };
    rewriteRecord(this.core, state, { offset, record: this.core.read(offset) });
  }

  journal(job: number, call: number, value: Value, token: Partial<LeaseToken> = {}): Answered {
    const fields = {
      token: { id: idOf(job), epoch: 1, delivery: 1, ...token },
      callHash: callOf(call),
      value,
      charge: null,
    };
    return this.core.ask(idOf(1), this.nowMs, (caller) => putEntry(caller, this.journals, fields));
  }

  entry(job: number, call: number): Answered {
    const fields = { id: idOf(job), callHash: callOf(call) };
    return this.core.ask(idOf(1), this.nowMs, (caller) => getEntry(caller, this.journals, fields));
  }

  job(job: number, state: JournalJob['state'] = 'leased', deliveries = 1): void {
    this.journals.jobs.set(idOf(job), { state, deliveries, leaseEpoch: deliveries === 0 ? 0 : 1 });
  }

  #blobRequest<N extends 'BlobPut' | 'BlobGet'>(
    caller: RequestContext,
    fields: Message<N>,
  ): Request<N, BlobCore> {
    const { effects } = this.core;
    const commit: BlobCore['commit'] = (record) => this.core.commit(record);
    const core = { effects, commit, blobs: this.blobs, diskFull: false, fullReason: '' };
    return { ...caller, core, fields };
  }

  /** The job ends, as one record of the log says. */
  endJob(job: number): void {
    this.job(job, 'cancelled');
    this.core.commit({ kind: 'forgotten', ids: [idOf(job)] });
  }
}
