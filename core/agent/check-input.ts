/** Job inputs against an agent's schema: copied, defaults filled in, every problem told at once. */

import type { Agent, CompiledAgent, InputProblem, JsonObject } from './agent.ts';
import { copyJson } from './copy-json.ts';
import { problemsOf } from './explain.ts';
import { compileSchema, type ValidateFunction } from './validator.ts';

const problemsMax = 50;

/** Loads Ajv only: what `enqueue` needs. */
export async function inputChecker(agent: Agent): Promise<CompiledAgent['checkInput']> {
  const validate = await compileSchema(agent.input.schema);
  return (input) => checkInput(validate, input);
}

function checkInput(
  validate: ValidateFunction,
  input: unknown,
): ReturnType<CompiledAgent['checkInput']> {
  const copied = copyJson(input);
  if (!copied.ok) return { ok: false, problems: [copied.problem] };
  if (validate(copied.value)) return { ok: true, input: copied.value as JsonObject };
  return { ok: false, problems: bounded(problemsOf(validate.errors ?? [])) };
}

function bounded(problems: InputProblem[]): InputProblem[] {
  if (problems.length <= problemsMax) return problems;
  const more = { property: '', message: `and ${problems.length - problemsMax} more problems` };
  return [...problems.slice(0, problemsMax), more];
}
