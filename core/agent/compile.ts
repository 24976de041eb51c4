/** An agent ready to run: schemas and templates compiled, every template proven against the schema. */

import type { Agent, CompiledAgent, JobContext, JsonObject } from './agent.ts';
import { AgentError } from './agent.ts';
import { inputChecker } from './check-input.ts';
import { BrokenAgentError } from './errors.ts';
import { asPathValues, cleanPath } from './output-path.ts';
import { type OutputParts, renderOutput } from './render-output.ts';
import { asProblem, needsOutput, templateProblems } from './template-problems.ts';
import { type Template, templateEngine } from './templates.ts';
import { compileSchema } from './validator.ts';

type Variables = { readonly [name: string]: unknown };

/**
 * Loads Ajv and Handlebars.
 * @throws BrokenAgentError when a template cannot work
 */
export async function compileAgent(agent: Agent): Promise<CompiledAgent> {
  const engine = await templateEngine();
  const problems = templateProblems(engine, agent).filter(({ advice }) => !advice);
  if (problems.length > 0) {
    throw new BrokenAgentError(agent.name, problems.map(asProblem));
  }
  const { output, prompt } = agent;
  const compile = (source: typeof prompt): Template | null =>
    source === null ? null : engine.compile(source);
  const renderInstructions = engine.compile(agent.instructions);
  const renderPrompt = compile(prompt);
  const renderPattern = engine.compile(output.file);
  const pathNeedsOutput = needsOutput(engine, output.file);
  const pathFor = (input: JsonObject, job: JobContext, answer?: unknown): string =>
    pathOf(renderPattern, pathVariables(agent, input, job, answer));
  const parts: Omit<OutputParts, 'pathFor'> = {
    agent,
    validate: output.schema === null ? null : await compileSchema(output.schema),
    template: compile(output.template),
  };
  return {
    agent,
    checkInput: await inputChecker(agent),
    renderMessages(input, job) {
      const variables = variablesOf(agent, input, job);
      const user = renderPrompt?.(variables) ?? JSON.stringify(input, null, 2);
      return [
        { role: 'system', content: renderInstructions(variables).trim() },
        { role: 'user', content: user.trim() },
      ];
    },
    renderPath: (input, job) => (pathNeedsOutput ? null : pathFor(input, job)),
    renderOutput: (answer, input, job) =>
      renderOutput(
        { ...parts, pathFor: (parsed) => pathFor(input, job, parsed) },
        answer,
        variablesOf(agent, input, job),
      ),
  };
}

function variablesOf(agent: Agent, input: JsonObject, job: JobContext): Variables {
  const { name, version } = agent;
  return { input, job, agent: { name, version }, now: job.createdAt };
}

/** `createdAt` and `now` are ours, and stay what `date` can read. */
function pathVariables(
  agent: Agent,
  input: JsonObject,
  job: JobContext,
  output: unknown,
): Variables {
  const variables = variablesOf(agent, input, job);
  return {
    ...variables,
    input: asPathValues(input),
    job: { ...job, source: asPathValues(job.source) },
    ...(output === undefined ? {} : { output: asPathValues(output) }),
  };
}

function pathOf(render: Template, variables: Variables): string {
  const result = cleanPath(render(variables));
  if (!result.ok) throw new AgentError('path_invalid', `output.file: ${result.message}`);
  return result.path;
}
