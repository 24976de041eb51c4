/** What passes between the main thread and a job thread, both ways, in lists of what one turn brings. */

import type { Agent } from '../../agent/index.ts';
import type { RateTerms } from '../../job-queue/index.ts';
import type { Price, Provider } from '../../model/index.ts';
import type { JobRequest, JobResult, StopReason } from '../attempt/result.ts';
import type { Answer, Question } from './questions.ts';

/** What a job thread is born with. */
export interface ThreadData {
  readonly agents: readonly ThreadAgent[];
  readonly idleMs: number;
  readonly answerBytesMax: number;
  /** Absolute folder of the configuration, which `knowledge` is relative to. */
  readonly baseDir: string;
  /** Absolute folder for jobs that name none. */
  readonly outputDir: string;
  /** False refuses jobs that name another folder. */
  readonly jobOutputDirs: boolean;
  /** One number, shared: the run whose code is on the thread's stack right now, or 0. */
  readonly activeRun: SharedArrayBuffer;
}

/** An agent with the provider and model that it uses in this process. */
export interface ThreadAgent {
  readonly agent: Agent;
  readonly provider: Provider;
  readonly model: string;
  /** What the model costs there; null where that is unknown. */
  readonly price: Price | null;
  /** Tokens that an answer of the model has at most; null where that is unknown. */
  readonly outputTokensMax: number | null;
  /** What its calls fall under at the queue, besides budgets; null where nothing limits them. */
  readonly rates: RateTerms | null;
}

/** `run` numbers are made by the pool and never reused; from 1. */
export type ToThread =
  | { readonly type: 'run'; readonly run: number; readonly request: JobRequest }
  | { readonly type: 'stop'; readonly run: number; readonly reason: StopReason }
  | { readonly type: 'adopt'; readonly agents: readonly ThreadAgent[] }
  | Answer;

/** For `postMessage`, which clones all of the buffer behind a view: the bytes get buffers of their own. */
export function toThread(message: ToThread): ToThread {
  if (message.type === 'run') {
    const { request } = message;
    return { ...message, request: { ...request, body: ownBytes(request.body) } };
  }
  if (message.type !== 'answer' || !(message.value instanceof Uint8Array)) return message;
  return { ...message, value: ownBytes(message.value) };
}

/** The same for the other way. */
export function fromThread(message: FromThread): FromThread {
  if (message.type === 'question') {
    const { asked } = message;
    if (asked.of !== 'journal') return message;
    const { callHash, value } = asked;
    const own = { callHash: ownBytes(callHash), value: value && ownBytes(value) };
    return { ...message, asked: { ...asked, ...own } };
  }
  if (message.type !== 'ended') return message;
  const { result } = message;
  const prompts = result.prompts && ownBytes(result.prompts);
  if (!result.ok) return { ...message, result: { ...result, prompts } };
  const files = result.files.map(({ path, content }) => ({ path, content: ownBytes(content) }));
  return { ...message, result: { ...result, prompts, files } };
}

function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

export type FromThread =
  | { readonly type: 'ready' }
  | { readonly type: 'ended'; readonly run: number; readonly result: JobResult }
  | (Question & { readonly run: number });
