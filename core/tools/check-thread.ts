/**
 * The entry of a thread that loads an agent's tools, or only reads them, to see whether they load, and
 * ends. Whatever a module does while it is loaded happens to this thread alone.
 */

import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import type { CheckRequest, CheckResult } from './check-modules.ts';
import { loadTools, noExport, ToolModuleError } from './load.ts';

/** A place in a stack: file, line, column. */
const frame = /((?:file:\/\/)?\/[^\s()]*?):(\d+)(?::(\d+))?(?=[\s)]|$)/g;

const { dir, tools, how } = workerData as CheckRequest;
const result = how === 'run' ? await check() : read();
parentPort?.postMessage(result, []);
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

/** What can be seen of the modules without running them: whether they parse, and export anything. */
function read(): CheckResult {
  for (const tool of tools.filter((name) => name.startsWith('./'))) {
    const file = join(dir, tool);
    const text = readFileSync(file, 'utf8');
    const fault = syntaxFault(text);
    if (fault !== null) return { ok: false, file, ...fault };
    // A module that exports one of these names it; other exports are not checked.
    if (!/\bexports\b|\bexport\b[^]*(?:\btool\b|\bdefault\b|\*)/.test(text)) {
      return { ok: false, file, line: 1, column: 1, message: noExport };
    }
  }
  return { ok: true, tools: [] };
}

interface Place {
  readonly line: number;
  readonly column: number;
}

/** Where in the module an error came from; its beginning when that is unknown. */
function placeIn(file: string, cause: unknown): Place {
  const stack = cause instanceof Error ? (cause.stack ?? '') : '';
  for (const [, path = '', line, column] of stack.matchAll(frame)) {
    const name = path.startsWith('file:') ? fileURLToPath(path) : path;
    if (name === file) return { line: Number(line), column: Number(column ?? 1) };
  }
  const found = cause instanceof SyntaxError ? syntaxFault(readFileSync(file, 'utf8')) : null;
  return { line: found?.line ?? 1, column: found?.column ?? 1 };
}

/** The position of a SyntaxError, which only the parser that strips types reports. */
function syntaxFault(text: string): (Place & { readonly message: string }) | null {
  try {
    stripTypeScriptTypes(text);
    return null;
  } catch (error) {
    const { message = '', stack = '' } = error as Partial<Error>;
    const line = /^[^\n]*?:(\d+)\n/.exec(stack)?.[1];
    const before = /^( *)\^/m.exec(stack)?.[1] ?? '';
    const place = line === undefined ? null : { line: Number(line), column: before.length + 1 };
    const said = `the module cannot be loaded: SyntaxError: ${message}`;
    return { ...(place ?? { line: 1, column: 1 }), message: said };
  }
}
