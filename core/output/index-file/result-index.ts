/**
 * The index of an output folder: one file that consumers of all brokers append to. The first line of a job
 * decides which result it has here; a later line of the same result gives its files other names. Who has
 * appended reads on from where it last read, so that both sides of a race see the same first line.
 */

import { constants } from 'node:fs';
import { closeFd, openFd, readAt, type readAtOnce, syncData, writeAll } from '../fs.ts';
import { type Indexed, OutputError } from '../output.ts';
import type { Directory } from '../tree/directory.ts';
import { isSameResult, lineOf, parseLine } from './index-line.ts';
import { OffsetTable } from './offset-table.ts';

export const indexName = 'results.jsonl';
const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
const readBytes = 1024 * 1024;
/** What one turn appended, mostly, and nearly every line. */
const fewBytes = 16 * 1024;
/** The longest line: a thousand files with long names. */
const lineBytesMax = 4 * 1024 * 1024;
const appendsMax = 3;
const newline = 10;

/** The line that decides, and the one that has the names by now. */
export interface Found {
  readonly first: Indexed;
  readonly latest: Indexed;
}

type Read = typeof readAt | typeof readAtOnce;

interface Waiting {
  readonly entry: Indexed;
  readonly resolve: (found: Found) => void;
  readonly reject: (error: unknown) => void;
}

export class ResultIndex {
  readonly #fd: number;
  readonly #read: Read;
  readonly #table = new OffsetTable();
  /** Are read into again and again: a fresh buffer for each read would be most of a consumer's garbage. */
  readonly #news = Buffer.allocUnsafeSlow(fewBytes);
  readonly #single = Buffer.allocUnsafeSlow(fewBytes);
  /** All complete lines before it are in the table. */
  #readTo = 0;
  /** Bytes that follow belong to no line of ours: what is appended begins with a new one. */
  #isTorn = false;
  #waiting: Waiting[] = [];
  /** What reads and writes here does so one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(fd: number, read: Read) {
    this.#fd = fd;
    this.#read = read;
  }

  /** Opens or makes the file and reads it. */
  static async open(own: Directory, read: Read = readAt): Promise<ResultIndex> {
    const index = new ResultIndex(await openFd(`${own.at}/${indexName}`, flags, 0o666), read);
    try {
      await index.#readOn();
    } catch (error) {
      await index.close();
      throw error;
    }
    return index;
  }

  close(): Promise<void> {
    return closeFd(this.#fd);
  }

  sync(): Promise<void> {
    return syncData(this.#fd);
  }

  /** The job's result in this folder, with the names that its files have by now. */
  find(jobId: string): Promise<Indexed | null> {
    return this.#alone(async () => {
      await this.#readOn();
      return (await this.#entryOf(jobId))?.latest ?? null;
    });
  }

  /**
   * Appends a line. Resolves with the result that the job has here: another one than was given when a line
   * was there before. Lines of one turn go together.
   */
  append(entry: Indexed): Promise<Found> {
    const { promise, resolve, reject } = Promise.withResolvers<Found>();
    this.#waiting.push({ entry, resolve, reject });
    if (this.#waiting.length === 1) void this.#alone(() => this.#appendWaiting());
    return promise;
  }

  /**
   * Jobs whose files have the path, the one with the newest line last. Read from the file: only where names
   * are disputed.
   */
  ownersOf(path: string): Promise<readonly string[]> {
    return this.#alone(async () => {
      const wanted = JSON.stringify(path);
      const named = new Set<string>();
      for await (const { line } of this.#lines(0, Buffer.allocUnsafe(readBytes))) {
        const entry = line.includes(wanted) ? parseLine(line) : null;
        if (entry === null || !hasPath(entry, path)) continue;
        named.delete(entry.jobId);
        named.add(entry.jobId);
      }
      const owners: string[] = [];
      for (const jobId of named) {
        const found = await this.#entryOf(jobId);
        if (found !== null && hasPath(found.latest, path)) owners.push(jobId);
      }
      return owners;
    });
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work, work);
    this.#last = result.catch(() => {});
    return result;
  }

  async #appendWaiting(): Promise<void> {
    const batch = this.#waiting.splice(0);
    try {
      await this.#appendBatch(batch);
    } catch (error) {
      this.#isTorn = true;
      for (const { reject } of batch) reject(error);
    }
  }

  async #appendBatch(batch: readonly Waiting[]): Promise<void> {
    let open = batch;
    for (let tries = 0; open.length > 0 && tries < appendsMax; tries++) {
      const text = open.map(({ entry }) => lineOf(entry)).join('');
      await writeAll(this.#fd, Buffer.from(this.#isTorn ? `\n${text}` : text));
      this.#isTorn = false;
      const news = await this.#readOn();
      const missing: Waiting[] = [];
      for (const waiting of open) {
        const { jobId } = waiting.entry;
        const found = news.get(jobId) ?? (await this.#entryOf(jobId));
        // Merged with the half line of another process: a new line makes it one of its own.
        if (found === null) missing.push(waiting);
        else waiting.resolve(found);
      }
      open = missing;
      this.#isTorn = open.length > 0;
    }
    for (const { reject } of open) reject(new OutputError('io', `${indexName} takes no lines`));
  }

  async #entryOf(jobId: string): Promise<(Found & { readonly at: number }) | null> {
    for (const place of this.#table.find(jobId)) {
      const first = await this.#lineAt(place.first);
      if (first?.jobId !== jobId) continue;
      const latest = place.latest === place.first ? first : await this.#lineAt(place.latest);
      return { first, latest: latest ?? first, at: place.at };
    }
    return null;
  }

  async #lineAt(offset: number): Promise<Indexed | null> {
    for await (const { line } of this.#lines(offset, this.#single)) return parseLine(line);
    return null;
  }

  /** Jobs with lines that decide something and were not read before. */
  async #readOn(): Promise<ReadonlyMap<string, Found>> {
    const news = new Map<string, Found>();
    const into = this.#readTo === 0 ? Buffer.allocUnsafe(readBytes) : this.#news;
    for await (const { line, at, end } of this.#lines(this.#readTo, into)) {
      const entry = parseLine(line);
      const known = entry === null ? null : await this.#entryOf(entry.jobId);
      if (entry !== null && known === null) {
        this.#table.add(entry.jobId, at);
        news.set(entry.jobId, { first: entry, latest: entry });
      } else if (entry !== null && known !== null && isSameResult(known.first, entry)) {
        this.#table.setLatest(known.at, at);
        news.set(entry.jobId, { first: known.first, latest: entry });
      }
      this.#readTo = Math.max(this.#readTo, end);
    }
    return news;
  }

  /** Complete lines from an offset on, read into a buffer that nothing else may use meanwhile. */
  async *#lines(
    from: number,
    into: Buffer,
  ): AsyncGenerator<{ readonly line: string; readonly at: number; readonly end: number }> {
    let at = from;
    let room = into;
    for (;;) {
      const chunk = await this.#read(this.#fd, at, room);
      let start = 0;
      for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
        yield { line: chunk.toString('utf8', start, end), at: at + start, end: at + end + 1 };
        start = end + 1;
      }
      if (chunk.length < room.length) {
        this.#isTorn ||= start < chunk.length;
        return;
      }
      if (start === 0 && room.length >= lineBytesMax)
        throw new OutputError('io', `${indexName} is damaged`);
      at += start;
      if (start === 0) room = Buffer.allocUnsafe(4 * room.length);
    }
  }
}

function hasPath({ files }: Indexed, path: string): boolean {
  return files.some((file) => file.path === path);
}
