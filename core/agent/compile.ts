/** Compiles an agent: schemas and templates, each template checked against the schema. */

import { createHash } from 'node:crypto';
import type { Agent, CompiledAgent, JobContext, JsonObject, Problem } from './agent.ts';
import { AgentError } from './agent.ts';
import { BrokenAgentError } from './errors.ts';
import { inputChecker } from './input/check-input.ts';
import { asPathValues, cleanPath } from './output/output-path.ts';
import {
  extractFolder,
  extractName,
  type OutputParts,
  renderOutput,
} from './output/render-output.ts';
import { hideSecrets } from './schema/secrets.ts';
import { compileSchema } from './schema/validator.ts';
import { asProblem, needsOutput, templateProblems } from './template/template-problems.ts';
import { pathsOf, type Template, templateEngine } from './template/templates.ts';

type Variables = { readonly [name: string]: unknown };

/** Templates that cannot work, whatever the job: what makes a readable agent unusable. */
export async function templateFaults(agent: Agent): Promise<Problem[]> {
  const problems = templateProblems(await templateEngine(), agent);
  return problems.filter(({ advice }) => !advice).map(asProblem);
}

/**
 * Loads Handlebars.
 * @throws BrokenAgentError when a template cannot work
 */
export async function compileAgent(agent: Agent): Promise<CompiledAgent> {
  const engine = await templateEngine();
  const faults = await templateFaults(agent);
  if (faults.length > 0) throw new BrokenAgentError(agent.name, faults);
  const { output, prompt } = agent;
  const compile = (source: typeof prompt): Template | null =>
    source === null ? null : engine.compile(source);
  const renderInstructions = engine.compile(agent.instructions);
  const renderPrompt = compile(prompt);
  const pathNeedsOutput = needsOutput(engine, output.file);
  const pathFor = pathMaker(engine, agent, pathNeedsOutput);
  const nameFor = (extractNotice: string | null) => {
    if (extractNotice === null) return (path: string) => path;
    return output.format === 'files' ? extractFolder : extractName;
  };
  const parts: Omit<OutputParts, 'pathFor' | 'extractNotice'> = {
    agent,
    validate: output.schema === null ? null : await compileSchema(output.schema),
    template: compile(output.template),
    pathNeedsOutput,
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
    renderPath: (input, job, extractNotice = null) =>
      pathNeedsOutput ? null : nameFor(extractNotice)(pathFor(input, job)),
    renderOutput: (answer, input, job, extractNotice = null) =>
      renderOutput(
        {
          ...parts,
          extractNotice,
          pathFor: (parsed) => nameFor(extractNotice)(pathFor(input, job, parsed)),
        },
        answer,
        variablesOf(agent, input, job),
      ),
  };
}

type PathFor = (input: JsonObject, job: JobContext, answer?: unknown) => string;

function pathMaker(
  engine: Awaited<ReturnType<typeof templateEngine>>,
  agent: Agent,
  needsAnswer: boolean,
): PathFor {
  const render = engine.compile(agent.output.file);
  const values = pathsOf(engine.parse(agent.output.file)).filter(({ data }) => !data);
  const make: PathFor = (input, job, answer) => {
    const variables = pathVariables(agent, input, job, answer);
    const result = cleanPath(render(variables));
    if (result.ok) return result.path;
    // The pattern itself is sound: what is wrong with its path comes from a value.
    const empty = values.find(({ parts }) => valueAt(variables, parts) === '');
    const why = empty === undefined ? result.message : `${empty.original} gives no file name`;
    const { secrets } = hideSecrets(agent.input.schema, input);
    const shown = secrets.size === 0 ? why : 'a secret input makes it a path that cannot be used';
    throw new AgentError('path_invalid', `output.file: ${shown}`);
  };
  if (needsAnswer) return make;
  /** Without the answer, and with it, it is the same. */
  const known = new WeakMap<JobContext, string>();
  return (input, job) => {
    const path = known.get(job) ?? make(input, job);
    known.set(job, path);
    return path;
  };
}

function variablesOf(agent: Agent, input: JsonObject, job: JobContext): Variables {
  const { name, version } = agent;
  const fenced = {
    ...job,
    // Made when a template asks for it: it reads the whole input.
    get fence() {
      return fenceOf(job.id, input);
    },
  };
  return { input, job: fenced, agent: { name, version }, now: job.createdAt };
}

const fenceChars = 16;

/**
 * A code that occurs nowhere in the input. The author of a document cannot know it, because it depends
 * on the whole input; a retry of the job has the same.
 */
function fenceOf(id: string, input: JsonObject): string {
  const text = JSON.stringify(input);
  for (let round = 0; ; round += 1) {
    const hash = createHash('sha256').update(`${round}\n${id}\n${text}`);
    const code = hash.digest('hex').slice(0, fenceChars);
    if (!text.includes(code)) return code;
  }
}

/**
 * `createdAt` and `now` are ours, and stay what `date` can read. No fence here: a getter costs V8 a hidden
 * class each time, which only a full collection frees.
 */
function pathVariables(
  agent: Agent,
  input: JsonObject,
  job: JobContext,
  output: unknown,
): Variables {
  const { name, version } = agent;
  return {
    input: asPathValues(input),
    job: { ...job, source: asPathValues(job.source) },
    agent: { name, version },
    now: job.createdAt,
    ...(output === undefined ? {} : { output: asPathValues(output) }),
  };
}

function valueAt(variables: Variables, parts: readonly string[]): unknown {
  let value: unknown = variables;
  for (const part of parts) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Variables)[part];
  }
  return value;
}
