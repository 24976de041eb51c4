/** Values against their schemas: copied, defaults filled in, every problem told at once. */

import type { Agent, CompiledAgent, InputProblem, JsonObject } from './agent.ts';
import { copyJson } from './copy-json.ts';
import { problemsOf } from './explain.ts';
import { hideSecrets, isSecretPlace } from './secrets.ts';
import { compileSchema, type ValidateFunction } from './validator.ts';

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
  const copied = copyJson(value);
  if (!copied.ok) return { ok: false, problems: [hidden(schema, copied.problem)] };
  if (validate(copied.value)) return { ok: true, input: copied.value as JsonObject };
  const { value: shown } = hideSecrets(schema, copied.value);
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
