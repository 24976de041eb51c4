/** Unfinished uploads: the part of them that is not durable, above all the hash so far. */

import { IdleTimeouts } from '../table/idle-timeouts.ts';
import { type BlobEntry, type BlobStore, blobIdleMs } from './blobs.ts';

/** A running SHA-256; the core does not know how it is made. */
export interface Hash {
  update(bytes: Uint8Array): void;
  /** The 32 bytes of the hash; ends it. */
  digest(): Uint8Array;
}

/** Most unfinished uploads in all, and of those that one session began. */
export const uploadsMax = 1024;
export const uploadsPerSessionMax = 64;

/** How long an upload of a session that ended may be continued. */
const orphanTimeoutMs = 60_000;

export interface Upload {
  readonly key: string;
  /** The session that put its newest chunk; any session may continue it. */
  session: string;
  readonly hash: Hash;
}

/** The blobs of a broker. */
export interface Blobs {
  readonly store: BlobStore;
  readonly uploads: BlobUploads;
  /** Most bytes of all blobs. */
  readonly bytesMax: number;
}

export class BlobUploads {
  readonly #newHash: () => Hash;
  /** By key; the one with the newest progress comes last. */
  readonly #uploads: Map<string, Upload> = new Map();
  readonly #countBySession: Map<string, number> = new Map();
  /** Uploads by the time of their last progress. */
  readonly #progress: IdleTimeouts = new IdleTimeouts(blobIdleMs);
  /** Uploads whose session ended. */
  readonly #orphans: IdleTimeouts = new IdleTimeouts(orphanTimeoutMs);

  constructor(newHash: () => Hash) {
    this.#newHash = newHash;
  }

  get count(): number {
    return this.#uploads.size;
  }

  countOf(session: string): number {
    return this.#countBySession.get(session) ?? 0;
  }

  begin(key: string, session: string): Upload {
    const upload = { key, session, hash: this.#newHash() };
    this.#uploads.set(key, upload);
    this.#count(session, 1);
    return upload;
  }

  /** @throws Error when there is no such upload: a bug */
  of({ key }: BlobEntry): Upload {
    const upload = this.#uploads.get(key);
    if (upload === undefined) throw new Error(`the upload of blob ${key} was not begun`);
    return upload;
  }

  /** A chunk came: restarts the upload's timeout. */
  renew(upload: Upload, session: string): void {
    this.#uploads.delete(upload.key);
    this.#uploads.set(upload.key, upload);
    this.#progress.renew(upload.key);
    this.#orphans.stop(upload.key);
    if (upload.session === session) return;
    this.#count(upload.session, -1);
    this.#count(session, 1);
    upload.session = session;
  }

  /** The session ended: its uploads are dropped soon, unless another session continues them. */
  sessionEnded(session: string): void {
    if (this.countOf(session) === 0) return;
    for (const upload of this.#uploads.values()) {
      if (upload.session === session) this.#orphans.renew(upload.key);
    }
  }

  /** Those that the session began. */
  ofSession(session: string): Upload[] {
    return [...this.#uploads.values()].filter((upload) => upload.session === session);
  }

  /**
   * The upload to drop when there are too many: of the session that has the most, the one without
   * progress for longest. So a session that begins many only drops its own.
   */
  get oldestOfLargestSession(): Upload | undefined {
    let largest = '';
    for (const [session, count] of this.#countBySession) {
      if (count > this.countOf(largest)) largest = session;
    }
    return this.ofSession(largest)[0];
  }

  /** Forgets the upload, whether it is complete or dropped. */
  end({ key, session }: Upload): void {
    if (!this.#uploads.delete(key)) return;
    this.#progress.stop(key);
    this.#orphans.stop(key);
    this.#count(session, -1);
  }

  /** Uploads without progress for too long, at most `max`. */
  due(nowMs: number, max: number): Upload[] {
    const keys = [...this.#progress.due(nowMs, max), ...this.#orphans.due(nowMs, max)];
    return keys.map((key) => this.#uploads.get(key)).filter((upload) => upload !== undefined);
  }

  /** When the next one is due; null when none is. */
  get dueAtMs(): number | null {
    const dues = [this.#progress.dueAtMs, this.#orphans.dueAtMs].filter((due) => due !== null);
    return dues.length === 0 ? null : Math.min(...dues);
  }

  #count(session: string, change: number): void {
    const count = this.countOf(session) + change;
    if (count === 0) this.#countBySession.delete(session);
    else this.#countBySession.set(session, count);
  }
}
