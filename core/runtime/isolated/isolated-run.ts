/**
 * One run alone in a process of its own, from this process's side: it is ended with SIGKILL above
 * its memory limit and past its time, and whatever becomes of it, its run ends exactly once.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startTimer, type Timer } from '../../base/index.ts';
import { printable } from '../../model/index.ts';
import type { JobRequest } from '../attempt/result.ts';
import { answerTo, type Question } from '../pool/questions.ts';
import { type Crash, overtime, type Run, type RunEnd, type RunOptions } from '../pool/run.ts';
import type { ThreadData } from '../pool/thread-messages.ts';
import type { FromProcess, ToProcess } from './process-messages.ts';

export interface ProcessOptions {
  /** The file that the process's worker thread runs. */
  readonly entry: URL;
  readonly data: Omit<ThreadData, 'activeRun'>;
  /** Of the objects of its worker thread. */
  readonly heapMegabytesMax: number;
  /** Of the whole process as the kernel counts it: Buffers and native memory too. */
  readonly memoryMegabytesMax: number;
}

const megabyte = 1024 * 1024;
/** As much of what the process last wrote is kept, and as many lines of it are reported. */
const lastWordsChars = 8192;
const lastLinesMax = 3;
const lastWordsMs = 500;

/** Starts the process at once. */
export function runIsolated(
  options: ProcessOptions,
  request: JobRequest,
  runOptions: RunOptions,
): Run & { readonly kill: (crash: Crash) => void } {
  const running = new IsolatedRun(options, request, runOptions);
  return {
    end: running.end,
    stop: (reason) => running.send({ type: 'stop', reason }),
    kill: (crash) => running.kill(crash),
  };
}

class IsolatedRun {
  readonly end: Promise<RunEnd>;
  readonly #options: ProcessOptions;
  readonly #runOptions: RunOptions;
  readonly #child: ChildProcess;
  readonly #resolve: (end: RunEnd) => void;
  readonly #timer: Timer;
  /** Why it was ended from here. */
  #crash: Crash | null = null;
  #ended: RunEnd | null = null;
  #lastWords = '';

  constructor(options: ProcessOptions, request: JobRequest, runOptions: RunOptions) {
    this.#options = options;
    this.#runOptions = runOptions;
    const { promise, resolve } = Promise.withResolvers<RunEnd>();
    this.end = promise;
    this.#resolve = resolve;
    const { hardLimitMs } = runOptions;
    this.#timer = startTimer(hardLimitMs, () => this.kill(overtime(hardLimitMs)));
    // Named after this file, because the published package is JavaScript.
    const main = new URL(`./main${extname(fileURLToPath(import.meta.url))}`, import.meta.url);
    this.#child = fork(main, {
      // A process group of its own: a Ctrl-C at the terminal is for the consumer, which stops it in order.
      detached: true,
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#listen(this.#child);
    const { entry, data, heapMegabytesMax } = options;
    this.send({ type: 'begin', entry: entry.href, data, heapMegabytesMax, request });
  }

  /** Ends the process; its run ends as crashed, of this, unless it was over already. */
  kill(crash: Crash): void {
    this.#crash ??= crash;
    this.#killGroup();
  }

  send(message: ToProcess): void {
    // What does not reach a process that is going needs no answer: its exit shows the rest.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  #listen(child: ChildProcess): void {
    child.on('message', (message: FromProcess) => this.#receive(message));
    child.on('error', (error) => this.#exited(`it cannot be started: ${error.message}`));
    child.on('exit', (code, signal) => {
      const how = signal ?? `it ended itself with exit code ${code}`;
      // After the last of what it wrote; but a process that it left behind may hold the pipes open.
      child.once('close', () => this.#exited(how));
      setTimeout(() => this.#exited(how), lastWordsMs).unref();
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        process.stderr.write(chunk);
        this.#lastWords = (this.#lastWords + chunk.toString()).slice(-lastWordsChars);
      });
    }
  }

  #receive(message: FromProcess): void {
    if (message.type === 'question') void this.#answer(message);
    else if (message.type === 'memory') this.#weigh(message.residentBytes);
    else {
      this.#ended ??= message.end;
      this.#killGroup();
    }
  }

  /** With it goes what the job itself has started. */
  #killGroup(): void {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
  }

  #weigh(residentBytes: number): void {
    const { memoryMegabytesMax } = this.#options;
    if (residentBytes <= memoryMegabytesMax * megabyte) return;
    const taken = `its process took ${Math.round(residentBytes / megabyte)} MiB`;
    const message = `${taken} of memory; ${memoryMegabytesMax} MiB are allowed`;
    this.kill({ cause: 'out_of_memory', message });
  }

  async #answer(question: Question): Promise<void> {
    this.send(await answerTo(question, this.#runOptions.services));
  }

  #exited(how: string): void {
    this.#timer.clear();
    const end: RunEnd = this.#ended ?? { type: 'crashed', ...(this.#crash ?? this.#crashOf(how)) };
    if (end.type !== 'crashed') this.#resolve(end);
    else
      this.#resolve({ ...end, message: `alone in a process of its own: ${this.#describe(end)}` });
  }

  /** The cause of an end that this process did not bring about. */
  #crashOf(how: string): Crash {
    // V8 ends the whole process when not even its last resort finds memory.
    if (/FATAL ERROR.*out of memory/i.test(this.#lastWords)) {
      return { cause: 'out_of_memory', message: `its process ran out of memory (${how})` };
    }
    if (how === 'SIGKILL') {
      const message = 'it was killed (SIGKILL), as the kernel does where memory is short';
      return { cause: 'killed', message };
    }
    const isSignal = how.startsWith('SIG');
    return { cause: 'crashed', message: isSignal ? `its process died of ${how}` : how };
  }

  #describe({ message }: Crash): string {
    const secrets = this.#options.data.agents.map(({ provider }) => provider.apiKey);
    const lines = this.#lastWords.split('\n').filter((line) => line.trim() !== '');
    const last = printable(lines.slice(-lastLinesMax).join(' / '), secrets);
    return last === '' ? message : `${message}; it last wrote: ${last}`;
  }
}
