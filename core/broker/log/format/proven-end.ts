/**
 * The file `proven`: the position up to which the log was durable. A log whose last segment was
 * cut or removed reads like one that ended there, so the proof of its end must be outside of it.
 *
 * Two slots in sectors of their own are written alternately: a torn write damages at most one, and
 * the other holds the position before.
 */

import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type Disk, type DiskFile, NotCreatedError, replaceFile, writeAll } from '../disk/disk.ts';
import { logIdBytes } from './format.ts';

export const provenName = 'proven';

/** A position up to which the log was durable. */
export interface ProvenEnd {
  readonly logId: Uint8Array;
  /** The last segment, and how many bytes of it. */
  readonly segment: number;
  readonly bytes: number;
  /** The last record before that position; 0 when there is none. */
  readonly offset: number;
}

/** Content of the file. A damaged one proves nothing, and is no evidence against the log either. */
export type Proof =
  | { readonly state: 'missing' | 'damaged' }
  | { readonly state: 'good'; readonly end: ProvenEnd; readonly count: number };

const magic = Buffer.from('AIQD', 'latin1');
const slotVersion = 1;
const slotBytes = 64;
/** Slots lie in sectors of their own. */
const slotDistance = 512;
const slotCount = 2;
const crcAt = 60;

/** @param count number of slots written so far for this log */
export function encodeProvenEnd(
  { logId, segment, bytes, offset }: ProvenEnd,
  count: number,
): Buffer {
  const slot = Buffer.alloc(slotBytes);
  magic.copy(slot, 0);
  slot.writeUInt16BE(slotVersion, 4);
  slot.set(logId, 8);
  slot.writeBigUInt64BE(BigInt(count), 24);
  slot.writeBigUInt64BE(BigInt(segment), 32);
  slot.writeBigUInt64BE(BigInt(bytes), 40);
  slot.writeBigUInt64BE(BigInt(offset), 48);
  slot.writeUInt32BE(crc32(slot.subarray(0, crcAt)), crcAt);
  return slot;
}

/** The newer of the valid slots. */
export function decodeProof(file: Uint8Array): Proof {
  let newest: Proof = { state: 'damaged' };
  for (let slot = 0; slot < slotCount; slot++) {
    const found = decodeSlot(file.subarray(slot * slotDistance, slot * slotDistance + slotBytes));
    if (found !== null && (newest.state !== 'good' || found.count > newest.count)) newest = found;
  }
  return newest;
}

function decodeSlot(bytes: Uint8Array): Extract<Proof, { state: 'good' }> | null {
  const slot = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (slot.length < slotBytes || !slot.subarray(0, magic.length).equals(magic)) return null;
  if (slot.readUInt16BE(4) !== slotVersion) return null;
  if (slot.readUInt32BE(crcAt) !== crc32(slot.subarray(0, crcAt))) return null;
  return {
    state: 'good',
    count: Number(slot.readBigUInt64BE(24)),
    end: {
      logId: Uint8Array.from(slot.subarray(8, 8 + logIdBytes)),
      segment: Number(slot.readBigUInt64BE(32)),
      bytes: Number(slot.readBigUInt64BE(40)),
      offset: Number(slot.readBigUInt64BE(48)),
    },
  };
}

/**
 * Reads the file in a log's folder.
 * @param names all names in that folder
 * @throws Error when the file exists and cannot be read: what it proves must not be skipped
 */
export async function readProof(disk: Disk, dir: string, names: readonly string[]): Promise<Proof> {
  if (!names.includes(provenName)) return { state: 'missing' };
  const path = join(dir, provenName);
  try {
    return decodeProof(await disk.readFile(path));
  } catch (cause) {
    const advice = `Try again. If it stays unreadable, continue without it:  rm '${path}'`;
    const what = 'the disk could not read this file, which proves where the log ends';
    throw new Error(`${path}: ${what} (${String(cause)}). Nothing was changed. ${advice}`, {
      cause,
    });
  }
}

/** Writes a new file, durably. */
export function createProof(disk: Disk, dir: string, end: ProvenEnd): Promise<DiskFile> {
  const file = Buffer.alloc(slotCount * slotDistance);
  encodeProvenEnd(end, 0).copy(file, 0);
  return replaceFile(disk, dir, provenName, [file]);
}

/** The file of an open log. */
export interface OpenProof {
  /** Null while it cannot be created. */
  readonly file: DiskFile | null;
  /** Number of the slot written last. */
  readonly count: number;
}

/** Opens or creates the file and records the log's end in it durably. */
export async function openProof(
  disk: Disk,
  dir: string,
  end: ProvenEnd,
  found: Proof,
): Promise<OpenProof> {
  if (found.state !== 'good') {
    return { file: await createProof(disk, dir, end).catch(nullIfNotMade), count: 0 };
  }
  const open = { file: await disk.open(join(dir, provenName)), count: found.count };
  const proven = new ProvenFile(disk, dir, open);
  try {
    proven.note(end);
    await proven.sync();
  } catch (error) {
    await proven.close();
    throw error;
  }
  return { ...open, count: found.count + 1 };
}

/** A full disk can do without the file: the log's own headers are then the only evidence. */
function nullIfNotMade(error: unknown): null {
  if (error instanceof NotCreatedError) return null;
  throw error;
}

/** Updates the file of an open log: it follows the durable end and is never ahead of it. */
export class ProvenFile {
  readonly #disk: Disk;
  readonly #dir: string;
  #file: DiskFile | null;
  #count: number;
  #end: ProvenEnd | null = null;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(disk: Disk, dir: string, { file, count }: OpenProof) {
    this.#disk = disk;
    this.#dir = dir;
    this.#file = file;
    this.#count = count;
  }

  /**
   * Starts writing a durable end. It is in the file once `noted` resolves, and on the medium once
   * `sync` does.
   */
  note(end: ProvenEnd): void {
    this.#end = end;
    const file = this.#file;
    if (file === null) return;
    this.#count += 1;
    const slot = encodeProvenEnd(end, this.#count);
    const at = (this.#count % slotCount) * slotDistance;
    this.#writing = this.#writing.then(() => writeAll(file, [slot], at));
    // The error is thrown to the next caller of `noted` or `sync`.
    this.#writing.catch(() => undefined);
  }

  /** Resolves when the last `note` is written. @throws Error of the disk */
  async noted(): Promise<void> {
    await this.#writing;
  }

  /** Makes the last `note` durable; creates the file where that was not possible before. */
  async sync(): Promise<void> {
    await this.#writing;
    if (this.#file !== null) await this.#file.datasync();
    else if (this.#end !== null) {
      this.#file = await createProof(this.#disk, this.#dir, this.#end).catch(nullIfNotMade);
    }
  }

  async close(): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#file?.close();
  }
}
