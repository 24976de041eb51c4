/**
 * Files of results: which jobs have some that are not known to be in their folder, by folder and in the
 * order of the log; which notes were replaced; and the blobs that files and prompts are. `JobStore` calls
 * it when it applies a record, live and on replay; it decides nothing.
 */

import type { Output, Value } from '../../../protocol/index.ts';
import type { BlobReferences } from './blobs.ts';

/** What the record of a lease's end, or a snapshot, says of files. */
interface Kept {
  readonly output: Output | null;
  readonly prompts: Value | null;
  readonly written?: boolean;
}

export interface Unwritten {
  readonly slot: number;
  /** Of the record that holds the files; later ones come behind. */
  readonly offset: number;
  /** Whose settle it was. */
  readonly session: string | null;
}

/** A note that replaced that of the lease's end. */
export interface ReplacedNote {
  /** Of the record that holds it. */
  readonly offset: number;
  /** Upper bound of its bytes in the log. */
  readonly bytes: number;
}

export class OutputStore {
  /** By row. */
  readonly notes: Map<number, ReplacedNote> = new Map();
  /** By row: offset of the newest record with prompts, where it is or may come to be another than the last. */
  readonly promptsAt: Map<number, number> = new Map();
  readonly #blobs: BlobReferences;
  /** By folder, then by row. */
  readonly #folders: Map<string, Map<number, Unwritten>> = new Map();
  readonly #folderOf: Map<number, string> = new Map();
  readonly #fileBlobs: Map<number, readonly Uint8Array[]> = new Map();
  readonly #promptsBlob: Map<number, readonly Uint8Array[]> = new Map();

  constructor(blobs: BlobReferences) {
    this.#blobs = blobs;
  }

  /** Folders in which something is to be written. */
  get folders(): ReadonlyMap<string, ReadonlyMap<number, Unwritten>> {
    return this.#folders;
  }

  isUnwritten(slot: number): boolean {
    return this.#folderOf.has(slot);
  }

  /** A lease ended, or compaction wrote the job again; before the job moves to its new state. */
  keep(slot: number, kept: Kept, at: Pick<Unwritten, 'offset' | 'session'>): void {
    if (kept.prompts !== null) {
      this.promptsAt.set(slot, at.offset);
      this.#refer(this.#promptsBlob, slot, [kept.prompts]);
    }
    if (kept.output === null) return;
    const { dir, files } = kept.output;
    this.#refer(
      this.#fileBlobs,
      slot,
      files.map(({ content }) => content),
    );
    this.written(slot);
    if (kept.written === true) return;
    const folder = this.#folders.get(dir) ?? new Map<number, Unwritten>();
    this.#folders.set(dir, folder);
    folder.set(slot, { slot, ...at });
    this.#folderOf.set(slot, dir);
  }

  /** No lease of the job will end any more: what its last record has need not be remembered. */
  settled(slot: number, last: number): void {
    if (this.promptsAt.get(slot) === last) this.promptsAt.delete(slot);
  }

  /** The files are in their folder. */
  written(slot: number): void {
    const dir = this.#folderOf.get(slot);
    if (dir === undefined) return;
    this.#folderOf.delete(slot);
    const folder = this.#folders.get(dir);
    folder?.delete(slot);
    if (folder?.size === 0) this.#folders.delete(dir);
  }

  /** The job is forgotten, and its row will be another's. */
  drop(slot: number): void {
    this.written(slot);
    this.notes.delete(slot);
    this.promptsAt.delete(slot);
    this.#refer(this.#fileBlobs, slot, []);
    this.#refer(this.#promptsBlob, slot, []);
  }

  /** New references come first, so that a blob of both does not lose its last one in between. */
  #refer(blobs: Map<number, readonly Uint8Array[]>, slot: number, values: readonly Value[]): void {
    // Copies: the hashes lie in a buffer that holds much more.
    const now = values.flatMap(({ blob }) => (blob === null ? [] : new Uint8Array(blob.sha256)));
    const before = blobs.get(slot) ?? [];
    for (const sha256 of now) this.#blobs.addRef(sha256);
    for (const sha256 of before) this.#blobs.dropRef(sha256);
    if (now.length > 0) blobs.set(slot, now);
    else blobs.delete(slot);
  }
}
