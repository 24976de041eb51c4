/**
 * The proof of how far the log reaches, in a small file of its own. A last segment that was cut short
 * or removed looks like a log that ended there, so what proves its end must lie outside of it.
 *
 * Two slots are written in turns, each within one sector: a write that is cut short harms at most
 * one, and the other proves what was so before.
 */

import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type Disk, type DiskFile, NotMadeError, placeFile, writeAll } from './disk.ts';
import { logIdBytes } from './format.ts';

export const provenName = 'proven';

/** A place that all of the log was on the medium up to. */
export interface ProvenEnd {
  readonly logId: Uint8Array;
  /** The last segment, and how much of it. */
  readonly segment: number;
  readonly bytes: number;
  /** The last record before that place; 0 when there is none. */
  readonly offset: number;
}

/** What the file says. A damaged one proves nothing, and says nothing against the log either. */
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

/** Slot number `count` of all that were ever written for this log. */
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

/** What the newer of the good slots says. */
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
 * Reads the proof in a log's folder that has these names.
 * @throws Error when the disk cannot read the file that is there: what it proves must not be skipped
 */
export async function readProof(disk: Disk, dir: string, names: readonly string[]): Promise<Proof> {
  if (!names.includes(provenName)) return { state: 'missing' };
  const path = join(dir, provenName);
  try {
    return decodeProof(await disk.readFile(path));
  } catch (cause) {
    const advice = `Try again; where it stays unreadable, go on without that proof:  rm '${path}'`;
    const what = 'the disk could not read the proof of how far the log reaches';
    throw new Error(`${path}: ${what} (${String(cause)}). Nothing was changed. ${advice}`, {
      cause,
    });
  }
}

/** Puts a new proof into a folder, durably. */
export function placeProof(disk: Disk, dir: string, end: ProvenEnd): Promise<DiskFile> {
  const file = Buffer.alloc(slotCount * slotDistance);
  encodeProvenEnd(end, 0).copy(file, 0);
  return placeFile(disk, dir, provenName, [file]);
}

/** The file of an open log. */
export interface OpenProof {
  /** Null while it cannot be made. */
  readonly file: DiskFile | null;
  /** Number of the slot written last. */
  readonly count: number;
}

/** Makes the proof say durably where the log ends, before anybody relies on it. */
export async function openProof(
  disk: Disk,
  dir: string,
  end: ProvenEnd,
  found: Proof,
): Promise<OpenProof> {
  if (found.state !== 'good') {
    return { file: await placeProof(disk, dir, end).catch(nullIfNotMade), count: 0 };
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

/** A disk that has no room for it can do without: the log is then proven by its own headers alone. */
function nullIfNotMade(error: unknown): null {
  if (error instanceof NotMadeError) return null;
  throw error;
}

/** Keeps the proof of an open log: it follows what is durable and is never ahead of it. */
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
   * Begins to note an end that is durable. Nobody need wait for it: it stands in the file once
   * `noted` resolves, and on the medium once `sync` does.
   */
  note(end: ProvenEnd): void {
    this.#end = end;
    const file = this.#file;
    if (file === null) return;
    this.#count += 1;
    const slot = encodeProvenEnd(end, this.#count);
    const at = (this.#count % slotCount) * slotDistance;
    this.#writing = this.#writing.then(() => writeAll(file, [slot], at));
    // A failure is told to whoever waits next.
    this.#writing.catch(() => undefined);
  }

  /** @throws whatever the disk said to a write */
  async noted(): Promise<void> {
    await this.#writing;
  }

  /** Brings what was noted to the medium; makes the file where that was not possible before. */
  async sync(): Promise<void> {
    await this.#writing;
    if (this.#file !== null) await this.#file.datasync();
    else if (this.#end !== null) {
      this.#file = await placeProof(this.#disk, this.#dir, this.#end).catch(nullIfNotMade);
    }
  }

  async close(): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#file?.close();
  }
}
