/** Checks values against their schemas: on a copy, with defaults filled in, all problems at once. */

import { lostText, shorten } from '../../yaml/index.ts';
import type { Agent, CompiledAgent, InputProblem, JsonObject } from '../agent.ts';
import { problemsOf } from '../schema/explain.ts';
import { hideSecrets, isSecretPlace } from '../schema/secrets.ts';
import { compileSchema, type ValidateFunction } from '../schema/validator.ts';

const problemsMax = 50;

/** Checks a value without changing it. */
export type ValueChecker = CompiledAgent['checkInput'];

/** Loads Ajv only: what `enqueue` needs. */
export function inputChecker(agent: Agent): Promise<ValueChecker> {
  return schemaChecker(agent.input.schema);
}

/**
 * For any schema of an object, such as a tool's parameters.
 * @throws Error when the schema is none
 */
export async function schemaChecker(schema: JsonObject): Promise<ValueChecker> {
  const validate = await compileSchema(schema);
  return (value) => checkValue(schema, validate, value);
}

function checkValue(
  schema: JsonObject,
  validate: ValidateFunction,
  value: unknown,
): ReturnType<ValueChecker> {
  let copy: unknown;
  try {
    copy = copyOf(value, []);
  } catch (error) {
    if (!(error instanceof NotJsonError)) throw error;
    return { ok: false, problems: [hidden(schema, error.problem)] };
  }
  if (validate(copy)) return { ok: true, input: copy as JsonObject };
  const { value: shown } = hideSecrets(schema, copy);
  return { ok: false, problems: bounded(problemsOf(validate.errors ?? [], shown)) };
}

function hidden(schema: JsonObject, problem: InputProblem): InputProblem {
  if (!isSecretPlace(schema, problem.property.split('.'))) return problem;
  return { ...problem, message: 'is secret, so it is not shown; it is nothing that JSON can hold' };
}

function bounded(problems: InputProblem[]): InputProblem[] {
  if (problems.length <= problemsMax) return problems;
  const more = { property: '', message: `and ${problems.length - problemsMax} more problems` };
  return [...problems.slice(0, problemsMax), more];
}

const depthMax = 64;
const forbiddenKeys = new Set(['__proto__', 'constructor', 'prototype']);

class NotJsonError extends Error {
  readonly problem: InputProblem;

  constructor(path: readonly string[], message: string) {
    super(message);
    this.problem = { property: path.slice(0, 8).join('.'), message };
  }
}

/**
 * A copy that may be filled and handed to templates: JSON data alone, bounded in depth, without keys
 * that reach a prototype (`structuredClone` refuses none of these).
 * @throws NotJsonError
 */
function copyOf(value: unknown, path: readonly string[]): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value;
    throw new NotJsonError(path, `${value} is not a number that JSON can hold`);
  }
  if (typeof value === 'bigint') throw new NotJsonError(path, lostText(String(value)));
  if (typeof value !== 'object') throw new NotJsonError(path, `a ${typeof value} is not JSON`);
  if (path.length >= depthMax) {
    throw new NotJsonError(path, `is nested too deeply; ${depthMax} levels are allowed`);
  }
  if (Array.isArray(value)) return value.map((item, index) => copyOf(item, [...path, `${index}`]));
  const copied: { [key: string]: unknown } = {};
  for (const [key, member] of Object.entries(value)) {
    if (forbiddenKeys.has(key)) {
      throw new NotJsonError(path, `the property name ${shorten(key)} is not allowed`);
    }
    if (member !== undefined) copied[key] = copyOf(member, [...path, key]);
  }
  return copied;
}
