/**
 * Loaded before a broker process and into each of its threads: counts the calls of every function, and
 * hands the counts over when the tracing process asks for them. Threads answer over a broadcast channel.
 */

import { Session } from 'node:inspector/promises';
import { syncBuiltinESMExports } from 'node:module';
import threads from 'node:worker_threads';

/** Calls of a function since the last question. */
export interface Calls {
  /** URL of the source. */
  readonly url: string;
  readonly functionName: string;
  /** Where the function begins, in characters. */
  readonly start: number;
  readonly count: number;
}

/** What one thread ran. */
export interface ThreadCalls {
  /** `main` or the name that the thread was started with. */
  readonly thread: string;
  readonly calls: readonly Calls[];
}

const core = process.env['AIQ_TRACED_CORE'] ?? '';
const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });

/** Reads the counters, which begin again at 0. */
async function takeCalls(): Promise<readonly Calls[]> {
  const { result } = await session.post('Profiler.takePreciseCoverage');
  return result
    .filter(({ url }) => url.startsWith(core))
    .flatMap(({ url, functions }) =>
      functions.flatMap(({ functionName, ranges: [range] }) =>
        range === undefined || range.count === 0
          ? []
          : [{ url, functionName, start: range.startOffset, count: range.count }],
      ),
    );
}

const questions = new threads.BroadcastChannel('aiq-trace-questions');
const answers = new threads.BroadcastChannel('aiq-trace-answers');
for (const channel of [questions, answers]) channel.unref();
const postQuestion: (question: null) => void = questions.postMessage.bind(questions);
const postAnswer: (calls: ThreadCalls) => void = answers.postMessage.bind(answers);

if (threads.isMainThread) serveTracer();
else questions.addEventListener('message', () => void ownCalls().then(postAnswer));

async function ownCalls(): Promise<ThreadCalls> {
  const thread = threads.isMainThread ? 'main' : (threads.threadName ?? 'unnamed');
  return { thread, calls: await takeCalls() };
}

/** Answers each message of the parent process with the calls of all threads. */
function serveTracer(): void {
  let started = 0;
  const { Worker } = threads;
  threads.Worker = class extends Worker {
    constructor(entry: string | URL, options: threads.WorkerOptions = {}) {
      started += 1;
      super(entry, {
        ...options,
        execArgv: [...(options.execArgv ?? []), '--import', import.meta.url],
      });
    }
  };
  syncBuiltinESMExports();
  process.on('message', () => void allCalls(started).then((calls) => process.send?.(calls)));
}

/** The calls of this thread and of the threads that it started. */
async function allCalls(started: number): Promise<readonly ThreadCalls[]> {
  const collected: ThreadCalls[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const onAnswer = (event: Event): void => {
    const { data } = event as Event & { readonly data: ThreadCalls };
    if (collected.push(data) === started) resolve();
  };
  answers.addEventListener('message', onAnswer);
  postQuestion(null);
  const own = await ownCalls();
  if (started > 0) await promise;
  answers.removeEventListener('message', onAnswer);
  return [own, ...collected];
}
