/** Finds the fields in the bytes of a job. */

import { AiqError } from '../error-codes.ts';
import { idBytes, idToText } from '../ids.ts';
import { checksumBytes, critical, type JobFieldName, jobFields } from './job.ts';

const fieldNames = Object.keys(jobFields) as JobFieldName[];
const fieldByTag = new Map<number, JobFieldName>(
  fieldNames.map((name) => [jobFields[name].tag, name]),
);

/** The numbers of the fields. */
export const field = Object.fromEntries(
  fieldNames.map((name, number) => [name, number]),
) as Readonly<Record<JobFieldName, number>>;
/** Bytes of numbers, by number of the field. */
const widths = fieldNames.map((name) => (jobFields[name].type === 'u53' ? 8 : 4));

/** Where the fields of a job lie in its bytes: found in one pass, without an object for each. */
export class JobFieldFinder {
  #bytes: Uint8Array = new Uint8Array(0);
  /** By number of the field; a field that is missing begins at 0, where the checksum is. */
  readonly #starts = new Uint32Array(fieldNames.length);
  readonly #ends = new Uint32Array(fieldNames.length);
  readonly #numberByTag = new Map(fieldNames.map((name, number) => [jobFields[name].tag, number]));

  /** Finds the fields of a job. What was found before is forgotten. */
  find(encoded: Uint8Array): void {
    this.#bytes = encoded;
    this.#starts.fill(0);
    for (let at = checksumBytes; at < encoded.length; ) {
      const start = at + tagBytes + lengthBytes;
      if (start > encoded.length) throw badJob('the bytes end inside a field');
      const tag = this.#u16(at);
      at = start + this.#u32(at + tagBytes);
      if (at > encoded.length) throw badJob('the bytes end inside a field');
      const number = this.#numberByTag.get(tag);
      const name = number === undefined ? undefined : fieldNames[number];
      if (number === undefined || name === undefined || !jobFields[name].served) {
        refuseIfCritical(tag, name);
      } else if (this.has(number)) throw badJob(`field ${name} appears twice`);
      else {
        this.#starts[number] = start;
        this.#ends[number] = at;
      }
    }
  }

  get jobBytes(): number {
    return this.#bytes.length;
  }

  has(number: number): boolean {
    return this.#starts[number] !== 0;
  }

  /** Its bytes, a view; none when the field is missing. */
  bytes(number: number): Uint8Array {
    return this.#bytes.subarray(this.#starts[number], this.length(number) + this.start(number));
  }

  start(number: number): number {
    return this.#starts[number] ?? 0;
  }

  length(number: number): number {
    const start = this.start(number);
    return start === 0 ? 0 : (this.#ends[number] ?? 0) - start;
  }

  /** Its bytes, which must be there and so many. */
  sized(number: number, bytes: number): Uint8Array {
    this.#expectBytes(number, bytes);
    return this.bytes(number);
  }

  id(): string {
    this.#expectBytes(field.id, idBytes);
    return idToText(this.#bytes, this.start(field.id));
  }

  /** Empty when the field is missing. */
  text(number: number): string {
    if (this.length(number) === 0) return '';
    try {
      return strictUtf8.decode(this.bytes(number));
    } catch {
      throw badJob(`field ${fieldNames[number]} is not UTF-8`);
    }
  }

  number(number: number, fallback: number, max: number): number {
    const start = this.start(number);
    if (start === 0) return fallback;
    const width = widths[number] ?? 4;
    this.#expectBytes(number, width);
    const value = width === 8 ? this.#u53(start) : this.#u32(start);
    if (value > max) {
      throw badJob(`field ${fieldNames[number]} is ${value}; at most ${max} is allowed`);
    }
    return value;
  }

  /** @throws AiqError `BAD_JOB` when a field is known by its number and has not its tag */
  refuseMisplaced(): void {
    const bytes = this.#bytes;
    for (
      let at = checksumBytes;
      at < bytes.length;
      at += tagBytes + lengthBytes + this.#u32(at + tagBytes)
    ) {
      const tag = this.#u16(at);
      if (this.#numberByTag.has(tag)) continue;
      const name = fieldByTag.get(tag ^ critical);
      if (name === undefined) continue;
      const wanted =
        (tag & critical) === 0 ? 'must be marked critical' : 'must not be marked critical';
      throw badJob(`field ${name} (tag ${tag & ~critical}) ${wanted}`);
    }
  }

  #expectBytes(number: number, bytes: number): void {
    const name = fieldNames[number];
    if (!this.has(number)) throw badJob(`field ${name} is missing`);
    const length = this.length(number);
    if (length !== bytes) throw badJob(`field ${name} has ${length} bytes, not ${bytes}`);
  }

  #u16(at: number): number {
    return ((this.#bytes[at] ?? 0) << 8) | (this.#bytes[at + 1] ?? 0);
  }

  #u32(at: number): number {
    return this.#u16(at) * 0x1_0000 + this.#u16(at + 2);
  }

  #u53(at: number): number {
    const value = this.#u32(at) * 0x1_0000_0000 + this.#u32(at + 4);
    if (!Number.isSafeInteger(value)) throw badJob('an integer is over 2^53 - 1');
    return value;
  }
}

const tagBytes = 2;
const lengthBytes = 4;
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function refuseIfCritical(tag: number, name: JobFieldName | undefined): void {
  if ((tag & critical) === 0) return;
  const misplaced = fieldByTag.get(tag ^ critical);
  if (misplaced !== undefined) throw badJob(`field ${misplaced} must not be marked critical`);
  const what = name ?? `with tag ${tag & ~critical}`;
  throw new AiqError('UNSUPPORTED', `this broker does not serve the critical job field ${what}`);
}

/** What is wrong with a job. */
export function badJob(what: string): AiqError {
  return new AiqError('BAD_JOB', `bad job: ${what}`);
}
