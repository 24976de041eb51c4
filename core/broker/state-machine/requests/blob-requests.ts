/** BlobPut and BlobGet: content by its hash, in chunks. */

import { limits, type Message } from '../../../protocol/index.ts';
import type { Core } from '../context/core.ts';
import type { Committing, Reply } from '../context/effects.ts';
import {
  type Request,
  type RequestContext,
  type RequestCore,
  refuse,
  respond,
} from '../context/request.ts';
import { dropUpload } from '../lifecycle/blob-expiry.ts';
import { decodeRecord } from '../records/records.ts';
import {
  type Blobs,
  type Upload,
  uploadsMax,
  uploadsPerSessionMax,
} from '../state/blob-uploads.ts';
import type { BlobEntry, Chunk } from '../state/blobs.ts';
import { hashBytes, hexOf } from '../table/hex.ts';

/** Most chunks of a blob: with chunks of 16 KiB the largest blob fits. */
const chunksMax = 4096;
/** Most records that one BlobGet reads. */
const chunksPerGetMax = 16;

/** What these handlers need of the core. */
export type BlobCore = RequestCore & Pick<Core, 'blobs' | 'diskFull' | 'fullReason'>;

export function putBlob(request: Request<'BlobPut', BlobCore>): void {
  const { core, fields } = request;
  const { blobs, diskFull, fullReason } = core;
  if (diskFull) {
    refuse(request, 'DISK_FULL', `${fullReason}: no blob is taken`);
    return;
  }
  const bad = badPut(fields);
  if (bad !== null) {
    refuse(request, 'BAD_REQUEST', bad);
    return;
  }
  const { sha256, totalBytes, offset, chunk } = fields;
  const blob = blobs.store.find(sha256);
  const storedBytes = blob?.endBytes ?? 0;
  if (blob !== undefined && blob.totalBytes !== totalBytes) {
    refuse(request, 'BAD_BLOB', `the blob was announced with ${blob.totalBytes} bytes before`);
  } else if (blob !== undefined && blob.storedAtMs !== null) {
    // The client is about to refer to it: it must not expire in the meantime.
    if (blobs.store.unreferenced.has(blob.key)) blobs.store.unreferenced.renew(blob.key);
    respond(request, 'BlobPutOk', { storedBytes: totalBytes, complete: true });
  } else if (offset > storedBytes) {
    refuse(request, 'BAD_REQUEST', `storedBytes is ${storedBytes}: the next chunk begins there`);
  } else if (offset < storedBytes || chunk.length === 0) {
    respond(request, 'BlobPutOk', { storedBytes, complete: false });
  } else {
    putNext(request, blob);
  }
}

function badPut({ sha256, totalBytes, chunk }: Message<'BlobPut'>): string | null {
  if (sha256.length !== hashBytes) return notAHash('sha256', sha256);
  if (totalBytes < 1 || totalBytes > limits.blobBytesMax) {
    return `totalBytes is ${totalBytes}; 1 to ${limits.blobBytesMax} are allowed`;
  }
  if (chunk.length <= limits.blobChunkBytesMax) return null;
  return `the chunk has ${chunk.length} bytes; at most ${limits.blobChunkBytesMax} are allowed`;
}

/** What a hash must be; `name` is the field's. */
export function notAHash(name: string, bytes: Uint8Array): string {
  return `${name} has ${bytes.length} bytes; a SHA-256 has ${hashBytes}`;
}

/** The chunk is the one that is expected next; `blob` is undefined before the first. */
function putNext(request: Request<'BlobPut', BlobCore>, blob: BlobEntry | undefined): void {
  const { core, session, fields } = request;
  const { blobs } = core;
  const { offset, chunk, totalBytes } = fields;
  const storedBytes = offset + chunk.length;
  if (storedBytes > totalBytes) {
    refuse(request, 'BAD_BLOB', `the chunk ends at byte ${storedBytes} of a blob of ${totalBytes}`);
    return;
  }
  if (blob !== undefined && blob.chunks.length >= chunksMax) {
    refuse(request, 'BAD_REQUEST', `a blob has at most ${chunksMax} chunks: send larger ones`);
    return;
  }
  const full = blob === undefined ? noRoom(request, blobs, totalBytes) : null;
  if (full !== null) {
    refuse(request, 'QUEUE_FULL', full);
    return;
  }
  if (blob === undefined && blobs.uploads.count >= uploadsMax) {
    const upload = blobs.uploads.oldestOfLargestSession;
    if (upload !== undefined) dropUpload(core, blobs, upload);
  }
  const upload =
    blob === undefined
      ? blobs.uploads.begin(hexOf(fields.sha256), session.id)
      : blobs.uploads.of(blob);
  upload.hash.update(chunk);
  if (storedBytes === totalBytes) complete(request, upload);
  else {
    commitChunk(core, fields);
    blobs.uploads.renew(upload, session.id);
    respond(request, 'BlobPutOk', { storedBytes, complete: false });
  }
}

function noRoom({ session }: RequestContext, blobs: Blobs, totalBytes: number): string | null {
  const { store, uploads, bytesMax } = blobs;
  if (uploads.countOf(session.id) >= uploadsPerSessionMax) {
    return `the session has ${uploadsPerSessionMax} unfinished uploads: finish some first`;
  }
  if (store.bytes + totalBytes <= bytesMax) return null;
  return `the broker holds ${store.bytes} of at most ${bytesMax} bytes of blobs`;
}

/** The last chunk came: the hash decides whether all of it was worth keeping. */
function complete(request: Request<'BlobPut', BlobCore>, upload: Upload): void {
  const { core, fields, now } = request;
  const { store, uploads } = core.blobs;
  const { sha256, totalBytes } = fields;
  uploads.end(upload);
  if (hexOf(upload.hash.digest()) !== upload.key) {
    if (store.byKey(upload.key) !== undefined) core.commit({ kind: 'blobDropped', sha256 });
    refuse(request, 'BAD_BLOB', `the bytes do not have the hash ${upload.key}; they were dropped`);
    return;
  }
  commitChunk(core, fields);
  core.commit({ kind: 'blobStored', sha256, totalBytes, atMs: now.wallMs });
  respond(request, 'BlobPutOk', { storedBytes: totalBytes, complete: true });
}

function commitChunk(
  core: Committing,
  { sha256, totalBytes, offset, chunk }: Message<'BlobPut'>,
): void {
  const chunkBytes = chunk.length;
  core.commit({ kind: 'blobChunk', sha256, totalBytes, at: offset, chunkBytes, chunk });
}

export function getBlob(request: Request<'BlobGet', BlobCore>): void {
  const { store } = request.core.blobs;
  const { sha256, offset, bytesMax } = request.fields;
  if (sha256.length !== hashBytes) {
    refuse(request, 'BAD_REQUEST', notAHash('sha256', sha256));
    return;
  }
  const blob = store.find(sha256);
  if (blob === undefined || blob.storedAtMs === null) {
    refuse(request, 'NO_BLOB', `no blob with the hash ${hexOf(sha256)} is stored`);
    return;
  }
  const { totalBytes } = blob;
  if (offset > totalBytes) {
    refuse(request, 'BAD_REQUEST', `offset is ${offset}; the blob has ${totalBytes} bytes`);
    return;
  }
  const end = Math.min(totalBytes, offset + Math.min(bytesMax, limits.blobChunkBytesMax));
  if (end === offset) {
    respond(request, 'BlobData', { totalBytes, offset, chunk: new Uint8Array(0) });
    return;
  }
  const chunks = store.covering(blob, offset, end).slice(0, chunksPerGetMax);
  const offsets = chunks.map((chunk: Chunk) => chunk.offset);
  request.core.effects.fetch(
    request.connection,
    request.correlationId,
    offsets,
    (records): Reply => {
      const chunk = cut(records, offset, end);
      return { name: 'BlobData', fields: { totalBytes, offset, chunk } };
    },
  );
}

/** The bytes `[from, to)` of a blob, as far as the chunk records reach. */
function cut(records: readonly Uint8Array[], from: number, to: number): Uint8Array {
  const pieces = records.map((bytes) => {
    const record = decodeRecord(bytes);
    if (record.kind !== 'blobChunk') throw new Error(`a chunk was read, and it is ${record.kind}`);
    return record.chunk.subarray(Math.max(0, from - record.at), Math.max(0, to - record.at));
  });
  const [first] = pieces;
  return first !== undefined && pieces.length === 1 ? first : joined(pieces);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
