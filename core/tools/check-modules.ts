/** Whether an agent's tool modules load, found out without running their code in this thread, or at all. */

import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Agent, JsonObject, Problem } from '../agent/index.ts';

/** What the thread is given. */
export interface CheckRequest extends Pick<Agent, 'dir' | 'tools'> {
  /** `read` runs none of their code. */
  readonly how: 'read' | 'run';
}

/** What the thread answers. */
export type CheckResult =
  /** `tools` is empty where nothing was run. */
  | { readonly ok: true; readonly tools: readonly CheckedTool[] }
  | ({ readonly ok: false } & Problem);

export interface CheckedTool {
  /** Absolute path of its module. */
  readonly file: string;
  readonly parameters: JsonObject;
}

const deadlineMsDefault = 10_000;
const heapMegabytesMax = 256;

/** True when the agent brings code of its own. */
export function hasToolModules({ tools }: Pick<Agent, 'tools'>): boolean {
  return tools.some((tool) => tool.startsWith('./'));
}

/** Never throws: a module that hangs, exits or crashes its thread is a finding like any other. */
export function checkToolModules(
  { dir, tools, how }: CheckRequest,
  deadlineMs = deadlineMsDefault,
): Promise<CheckResult> {
  // Named after this file, because the published package is JavaScript.
  const name = `./check-thread${extname(fileURLToPath(import.meta.url))}`;
  const { promise, resolve } = Promise.withResolvers<CheckResult>();
  const worker = new Worker(new URL(name, import.meta.url), {
    workerData: { dir, tools, how } satisfies CheckRequest,
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytesMax },
    // What a module prints belongs to no command's output.
    stdout: true,
    stderr: true,
  });
  const broken = (why: string): void => {
    const modules = tools.filter((tool) => tool.startsWith('./'));
    const file = join(dir, modules[0] ?? '');
    const which = modules.length > 1 ? `one of the modules ${modules.join(', ')}` : 'the module';
    resolve({ ok: false, file, line: 1, column: 1, message: `${which} ${why}` });
  };
  const timer = setTimeout(() => {
    broken(`did not load within ${deadlineMs / 1000} s`);
    void worker.terminate();
  }, deadlineMs);
  worker.on('message', (result: CheckResult) => resolve(result));
  worker.on('error', (error: unknown) => broken(`cannot be loaded: ${String(error)}`));
  worker.on('exit', () => {
    clearTimeout(timer);
    broken('ended its thread while it was loaded');
  });
  return promise;
}
