/** Drops blobs that nothing refers to and uploads without progress. */

import type { Committing } from '../context/effects.ts';
import type { Blobs, Upload } from '../state/blob-uploads.ts';
import type { BlobStore } from '../state/blobs.ts';

/** Drops the uploads that a restart cut off. Once, after replay. */
export function dropCutUploads(core: Committing, store: BlobStore): void {
  for (const { sha256 } of store.afterReplay()) core.commit({ kind: 'blobDropped', sha256 });
}

/** Drops blobs without references and uploads without progress, both after an hour; at most `max` of each. */
export function expireBlobs(
  core: Committing,
  { store, uploads }: Omit<Blobs, 'bytesMax'>,
  nowMs: number,
  max: number,
): void {
  for (const key of store.unreferenced.due(nowMs, max)) drop(core, store, key);
  for (const upload of uploads.due(nowMs, max)) dropUpload(core, { store, uploads }, upload);
}

/** Drops the unfinished uploads of a session that said goodbye. */
export function dropUploadsOf(
  core: Committing,
  blobs: Omit<Blobs, 'bytesMax'>,
  session: string,
): void {
  for (const upload of blobs.uploads.ofSession(session)) dropUpload(core, blobs, upload);
}

export function dropUpload(
  core: Committing,
  { store, uploads }: Omit<Blobs, 'bytesMax'>,
  upload: Upload,
): void {
  uploads.end(upload);
  drop(core, store, upload.key);
}

function drop(core: Committing, store: BlobStore, key: string): void {
  const blob = store.byKey(key);
  if (blob !== undefined) core.commit({ kind: 'blobDropped', sha256: blob.sha256 });
}

/** When `expireBlobs` has something to do, on the clock that it is given; null when nothing is due. */
export function blobsDueAtMs({ store, uploads }: Omit<Blobs, 'bytesMax'>): number | null {
  const dues = [store.unreferenced.dueAtMs, uploads.dueAtMs].filter((due) => due !== null);
  return dues.length === 0 ? null : Math.min(...dues);
}
