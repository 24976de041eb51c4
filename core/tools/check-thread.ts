/**
 * The entry of a thread that loads an agent's tools to see whether they load, and ends. Whatever a
 * module does while it is loaded happens to this thread alone.
 */

import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import type { CheckRequest, CheckResult } from './check-modules.ts';
import { loadTools, ToolModuleError } from './load.ts';

/** A place in a stack: file, line, column. */
const frame = /((?:file:\/\/)?\/[^\s()]*?):(\d+)(?::(\d+))?(?=[\s)]|$)/g;

const { dir, tools } = workerData as CheckRequest;
parentPort?.postMessage(await check(), []);
// A module may have left a timer or a server that would keep the thread alive.
process.exit();

async function check(): Promise<CheckResult> {
  try {
    const loaded = await loadTools({ dir, tools });
    return {
      ok: true,
      tools: loaded.map(({ parameters }, index) => ({
        file: join(dir, tools[index] ?? ''),
        // Through JSON, as it goes to the model: what is lost on the way was no schema.
        parameters: JSON.parse(JSON.stringify(parameters)) as typeof parameters,
      })),
    };
  } catch (error) {
    if (!(error instanceof ToolModuleError)) throw error;
    const { file, message } = error;
    return { ok: false, file, message, ...placeIn(file, error.cause) };
  }
}

interface Place {
  readonly line: number;
  readonly column: number;
}

/** Where in the module itself an error came from; its beginning when that cannot be told. */
function placeIn(file: string, cause: unknown): Place {
  const stack = cause instanceof Error ? (cause.stack ?? '') : '';
  for (const [, path = '', line, column] of stack.matchAll(frame)) {
    const name = path.startsWith('file:') ? fileURLToPath(path) : path;
    if (name === file) return { line: Number(line), column: Number(column ?? 1) };
  }
  const found = cause instanceof SyntaxError ? syntaxPlace(file) : null;
  return found ?? { line: 1, column: 1 };
}

/** A module's SyntaxError does not say where; the parser that strips types does. */
function syntaxPlace(file: string): Place | null {
  try {
    stripTypeScriptTypes(readFileSync(file, 'utf8'));
    return null;
  } catch (error) {
    const stack = error instanceof Error ? (error.stack ?? '') : '';
    const line = /^[^\n]*?:(\d+)\n/.exec(stack)?.[1];
    const before = /^( *)\^/m.exec(stack)?.[1] ?? '';
    return line === undefined ? null : { line: Number(line), column: before.length + 1 };
  }
}
