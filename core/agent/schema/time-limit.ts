/**
 * Interrupts code that may never end by itself, such as a pattern of an agent's schema. Only V8 can,
 * and the `timeout` of `node:vm` is the way to ask: 50 to 250 µs a call, for a thread that watches.
 */

import { type Context, createContext, Script } from 'node:vm';

/** The code was interrupted. */
export class BlockedError extends Error {
  constructor(limitMs: number, options: ErrorOptions) {
    super(
      `it computes for more than ${limitMs} ms without a pause; ` +
        'mostly that is a pattern such as (a+)+ that tries every way to match',
      options,
    );
    this.name = 'BlockedError';
  }
}

interface Box {
  readonly context: Context;
  readonly script: Script;
}

let box: Box | null = null;

const microsPerMs = 1000;
/** Of the limit: the timer and the processor's clock do not tick alike. */
const aboutAll = 0.9;

/**
 * The result of `work`, which is interrupted once it has computed for the limit. The interruption
 * comes by the clock: where the machine gave the thread no processor time meanwhile, `work` is run
 * again, so it must be free of side effects. What it starts and leaves waiting is not bounded.
 * @throws BlockedError; what `work` throws
 */
export function withTimeLimit<T>(work: () => T, limitMs: number): T {
  box ??= { context: createContext({}), script: new Script('work()') };
  box.context['work'] = work;
  for (const before = process.threadCpuUsage(); ; ) {
    try {
      return box.script.runInContext(box.context, { timeout: limitMs, displayErrors: false }) as T;
    } catch (error) {
      // The error is one of the other context: no `instanceof` knows it.
      const { code } = (error ?? {}) as { readonly code?: unknown };
      if (code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      const { user, system } = process.threadCpuUsage(before);
      if (user + system >= limitMs * microsPerMs * aboutAll) {
        throw new BlockedError(limitMs, { cause: error });
      }
    }
  }
}
