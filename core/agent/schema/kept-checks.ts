/**
 * Compiled schemas as code, kept from one process to the next, so that a command that checks one input
 * loads no Ajv: that and the compiling take longer than all else of it.
 */

import { createRequire } from 'node:module';
import { compileFunction } from 'node:vm';
import { KeptResults } from '../../base/index.ts';
import { isMultipleOf } from '../../yaml/index.ts';
import type { JsonObject } from '../agent.ts';

let results: KeptResults | null = null;

function keptResults(): KeptResults {
  results ??= new KeptResults('schemas', import.meta.dirname);
  return results;
}

/** The check of a schema that was compiled before, or null. */
export function findCheck(schema: JsonObject): object | null {
  const code = keptResults().find(JSON.stringify(schema));
  if (code === null) return null;
  const made = { exports: {} };
  compileFunction(code, ['module', 'exports', 'require'])(made, made.exports, loadModule);
  return made.exports;
}

export function keepCheck(schema: JsonObject, code: string): void {
  keptResults().keep(JSON.stringify(schema), code);
}

/** The name by which compiled checks ask for what is ours. */
export const ownModule = 'aiq';

const load = createRequire(import.meta.url);

function loadModule(name: string): unknown {
  return name === ownModule ? { isMultipleOf } : load(name);
}
