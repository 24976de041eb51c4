/**
 * Results as files: the one place of the consumer that writes into output folders. A settle makes a result
 * real; here its files follow, and the broker hears of it behind. What was settled and is not known to be
 * written, by this consumer or another one, is written again from the engine.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import {
  type BackoffRange,
  backoffMs,
  messageOf,
  startTimer,
  type Timer,
} from '../../base/index.ts';
import type { JobQueue, SettleOutput } from '../../job-queue/index.ts';
import { OutputError, OutputFolder } from '../../output/index.ts';
import type { AskedOutputs } from '../attempt/outputs.ts';
import { unpackPrompts } from '../attempt/prompts.ts';
import type { JobSuccess } from '../attempt/result.ts';
import type { RuntimeLog, RuntimeOptions } from '../options.ts';
import { Confirmer } from './confirmer.ts';
import { Folders } from './folders.ts';
import { fieldsOf, reasonIn, renoted } from './note.ts';
import { noteFor, resultOf, type SettledFiles } from './settled-files.ts';

export interface ProjectionOptions extends Pick<RuntimeOptions, 'outputDir' | 'jobOutputDirs'> {
  readonly queue: JobQueue;
  readonly log: RuntimeLog;
}

/** The files of a job that is about to be settled, under the names that are kept for them. */
export interface Prepared {
  readonly names: readonly string[];
  /** Null for a result that was there before, and was changed since. */
  readonly output: SettleOutput | null;
  /** They are written, or never will be. */
  release(): void;
}

export interface WrittenFiles {
  readonly names: readonly string[];
  /** Why they are not there yet; null when they are. */
  readonly notWritten: string | null;
}

const pauses: BackoffRange = { minMs: 1_000, maxMs: 60_000 };
const takeOverMs = 100;
const takeOversMax = 5;
/** Jobs that are recovered beside each other. */
const recoveriesMax = 8;

export class Projection implements AskedOutputs {
  readonly #options: ProjectionOptions;
  readonly #folders = new Folders<OutputFolder>();
  readonly #confirmers = new Map<string, Confirmer>();
  /** Jobs that are being written here. */
  readonly #writing = new Map<string, Promise<unknown>>();
  /** Folders that could not be written, how often in a row, and when they are tried again. */
  readonly #behind = new Map<string, { readonly failures: number; timer: Timer | null }>();
  #isClosed = false;

  constructor(options: ProjectionOptions) {
    this.#options = options;
  }

  /** @throws OutputError when the folder cannot be used */
  open(dir: string): Promise<void> {
    return this.#in(dir, async () => {});
  }

  prompts(jobId: string): Promise<Uint8Array | null> {
    const kept = this.#options.queue.prompts(jobId);
    return kept.then((packed) => packed && unpackPrompts(packed)).catch(() => null);
  }

  /**
   * Chooses the names of a result, before it is settled.
   * @throws OutputError `exists`, `path_invalid`, `io`
   */
  prepare(jobId: string, result: JobSuccess): Promise<Prepared> {
    const { root, files, overwrite, replaces, wasFree } = result;
    const provenance = JSON.stringify(result.provenance);
    const shared = { dir: root, overwrite, replaces, provenance };
    return this.#in(root, async (folder) => {
      if (result.recovered) {
        const names = files.map(({ path }) => path);
        const found = await folder.find(jobId);
        const contents = found === null ? null : await folder.contentsOf(found);
        const output = contents === null ? null : { ...shared, files: contents };
        return { names, output, release: () => {} };
      }
      const wanted = files.map(({ path }) => path);
      const { paths, ...reserved } = await folder.reserve(wanted, overwrite, {
        replaces,
        wasFree,
      });
      const named = files.map(({ content }, at) => ({ path: paths[at] ?? '', content }));
      return { ...reserved, names: paths, output: { ...shared, files: named } };
    });
  }

  /** Writes the files of a job that was settled here. Never rejects: what cannot be written is kept. */
  async write(settled: SettledFiles): Promise<WrittenFiles> {
    const { jobId, output, note } = settled;
    const { dir } = output;
    const writing = this.#in(dir, (folder) => folder.place(resultOf(settled)));
    this.#writing.set(jobId, writing);
    try {
      const { files } = await writing;
      const names = files.map(({ path }) => path);
      this.#confirm(dir, { id: jobId, written: true, note: noteFor(note, names) });
      return { names, notWritten: null };
    } catch (error) {
      if (error instanceof OutputError && error.code === 'taken_over') {
        return await this.#yieldTo(dir, jobId);
      }
      return this.#failed({ dir, jobId, note }, error);
    } finally {
      this.#writing.delete(jobId);
    }
  }

  /** Writes what others settled and left unwritten, in all folders that are this consumer's. */
  async catchUp(): Promise<void> {
    const { queue, outputDir, jobOutputDirs = true } = this.#options;
    for (const { dir } of await queue.unwrittenFolders()) {
      if (jobOutputDirs || dir === outputDir) await this.#catchUpIn(dir);
    }
  }

  /** Resolves once all that was written is confirmed. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#writing.values());
    await Promise.all([...this.#confirmers.values()].map((confirmer) => confirmer.idle()));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { timer } of this.#behind.values()) timer?.clear();
    for (const confirmer of this.#confirmers.values()) confirmer.close();
    await this.idle();
    await this.#folders.close();
  }

  #in<T>(dir: string, use: (folder: OutputFolder) => Promise<T>): Promise<T> {
    const open = (path: string): Promise<OutputFolder> => {
      const message =
        'the output folder was of an earlier aiq: its records are lines of .aiq/results.jsonl now';
      const onMigrated = (results: number): void =>
        this.#options.log.warn({ folder: path, results }, message);
      return OutputFolder.open(path, { onMigrated });
    };
    return this.#folders.with(dir, open, use);
  }

  #confirm(dir: string, item: Parameters<Confirmer['add']>[0]): void {
    const known = this.#confirmers.get(dir);
    const confirmer =
      known ??
      new Confirmer({
        queue: this.#options.queue,
        sync: () => this.#in(dir, (folder) => folder.sync()),
        onSyncFailed: (error) => this.#retryLater(dir, messageOf(error)),
      });
    this.#confirmers.set(dir, confirmer);
    confirmer.add(item);
  }

  #failed(
    { dir, jobId, note }: { readonly dir: string; readonly jobId: string; readonly note: string },
    error: unknown,
  ): WrittenFiles {
    const notWritten = messageOf(error);
    const now = renoted(note, { notWritten });
    if (now !== note) this.#confirm(dir, { id: jobId, written: false, note: now });
    this.#retryLater(dir, notWritten);
    return { names: [], notWritten };
  }

  #retryLater(dir: string, why: string): void {
    const before = this.#behind.get(dir);
    if (this.#isClosed || (before !== undefined && before.timer !== null)) return;
    const failures = (before?.failures ?? 0) + 1;
    if (failures === 1) {
      const message = 'results are kept and not written yet: see aiq outputs list';
      this.#options.log.warn({ folder: dir, why }, message);
    }
    const again = (): void => {
      behind.timer = null;
      this.#catchUpIn(dir).catch(() => this.#retryLater(dir, why));
    };
    const timer = startTimer(backoffMs(failures, pauses), again, { keepsAlive: false });
    const behind = { failures, timer: timer as Timer | null };
    this.#behind.set(dir, behind);
  }

  /** Another consumer writes the job: waits for it, and goes on in its place when it does not. */
  async #yieldTo(dir: string, jobId: string): Promise<WrittenFiles> {
    for (let tries = 0; tries < takeOversMax; tries++) {
      await sleep(takeOverMs * (1 + Math.random()));
      try {
        const done = await this.#recoverOne(dir, jobId);
        if (done !== null) return done;
      } catch (error) {
        if (!(error instanceof OutputError && error.code === 'taken_over')) break;
      }
    }
    this.#retryLater(dir, 'another consumer writes there');
    return { names: [], notWritten: 'another consumer is writing it' };
  }

  async #catchUpIn(dir: string): Promise<void> {
    const { queue } = this.#options;
    const wasBehind = this.#behind.has(dir);
    let failed = '';
    for (let after: number | null = 0; after !== null && !this.#isClosed; ) {
      const page: Awaited<ReturnType<JobQueue['unwritten']>> = await queue.unwritten(dir, after);
      const due = page.jobs.filter(
        ({ id, isHeld }) => (!isHeld || wasBehind) && !this.#writing.has(id),
      );
      for (let at = 0; at < due.length; at += recoveriesMax) {
        const some = due.slice(at, at + recoveriesMax);
        const done = await Promise.all(some.map(({ id }) => this.#recoverNow(dir, id)));
        failed = done.find((one) => one?.notWritten != null)?.notWritten ?? failed;
      }
      after = page.next;
    }
    if (failed !== '') this.#retryLater(dir, failed);
    else this.#behind.delete(dir);
  }

  async #recoverNow(dir: string, jobId: string): Promise<WrittenFiles | null> {
    const recovering = this.#recoverOne(dir, jobId);
    this.#writing.set(jobId, recovering);
    try {
      return await recovering;
    } catch (error) {
      return { names: [], notWritten: messageOf(error) };
    } finally {
      this.#writing.delete(jobId);
    }
  }

  /** Null when the job is no longer known. */
  async #recoverOne(dir: string, jobId: string): Promise<WrittenFiles | null> {
    const { queue } = this.#options;
    const [found] = await queue.inspect(jobId);
    if (found === undefined) return null;
    const { note, output: state } = found.info;
    const noted = fieldsOf(note)['files'] as string[] | undefined;
    if (state !== 'unwritten') return { names: noted ?? [], notWritten: null };
    const kept = await queue.output(jobId);
    if (kept === null) return null;
    const files: SettleOutput['files'][number][] = [];
    for (const file of kept.files) files.push({ path: file.path, content: await file.content() });
    const settled = { jobId, note, output: { ...kept, files } };
    try {
      const done = await this.#in(dir, (folder) => folder.recover(resultOf(settled)));
      const names = done.files.map(({ path }) => path);
      this.#confirm(dir, { id: jobId, written: true, note: noteFor(note, names) });
      return { names, notWritten: null };
    } catch (error) {
      const notWritten = messageOf(error);
      if (error instanceof OutputError && error.code === 'taken_over') throw error;
      if (reasonIn(note) !== notWritten) {
        const now = renoted(note, { notWritten });
        this.#confirm(dir, { id: jobId, written: false, note: now });
      }
      return { names: [], notWritten };
    }
  }
}
