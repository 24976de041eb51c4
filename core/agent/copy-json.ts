/** A copy of JSON data that is safe to fill and to hand to templates: bounded in depth, no key that reaches a prototype. */

import { lostText, shorten } from '../yaml/index.ts';
import type { InputProblem } from './agent.ts';

const depthMax = 64;
const forbiddenKeys = new Set(['__proto__', 'constructor', 'prototype']);

export type CopyResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: InputProblem };

/** Copies, or tells the first thing in the value that is not allowed in an input. */
export function copyJson(value: unknown): CopyResult {
  try {
    return { ok: true, value: copy(value, []) };
  } catch (error) {
    if (error instanceof NotAllowed) return { ok: false, problem: error.problem };
    throw error;
  }
}

class NotAllowed extends Error {
  readonly problem: InputProblem;

  constructor(path: readonly string[], message: string) {
    super(message);
    this.problem = { property: path.slice(0, 8).join('.'), message };
  }
}

function copy(value: unknown, path: readonly string[]): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value;
    throw new NotAllowed(path, `${value} is not a number that JSON can hold`);
  }
  if (typeof value === 'bigint') throw new NotAllowed(path, lostText(String(value)));
  if (typeof value !== 'object') throw new NotAllowed(path, `a ${typeof value} is not JSON`);
  if (path.length >= depthMax) {
    throw new NotAllowed(path, `is nested too deeply; ${depthMax} levels are allowed`);
  }
  if (Array.isArray(value)) return value.map((item, index) => copy(item, [...path, String(index)]));
  const copied: { [key: string]: unknown } = {};
  for (const [key, member] of Object.entries(value)) {
    if (forbiddenKeys.has(key)) {
      throw new NotAllowed(path, `the property name ${shorten(key)} is not allowed`);
    }
    if (member !== undefined) copied[key] = copy(member, [...path, key]);
  }
  return copied;
}
