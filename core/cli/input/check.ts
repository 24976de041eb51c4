/** Checks drafts against the agent's schema and reports all problems of all drafts at once. */

import type {
  Agent,
  CompiledAgent,
  InputProblem,
  JobContext,
  JsonObject,
} from '../../agent/index.ts';
import { CliError, formatReport, reportOf } from '../errors.ts';
import { pathFromHere } from '../output/format.ts';
import { type Draft, type Inputs, inputsAtOnce } from './drafts.ts';

/** Checks one input; its source counts, because paths of results may use it. */
export type DraftCheck = (
  draft: Pick<Draft, 'input' | 'source'>,
) => ReturnType<CompiledAgent['checkInput']>;

/** The schema's check, and that the result would have a path where that is known beforehand. */
export function draftCheck(compiled: CompiledAgent): DraftCheck {
  return ({ input, source }) => {
    const result = compiled.checkInput(input);
    const problem = result.ok ? pathProblem(compiled, result.input, source) : null;
    return problem === null ? result : { ok: false, problems: [problem] };
  };
}

function pathProblem(
  compiled: CompiledAgent,
  input: JsonObject,
  source: string,
): InputProblem | null {
  try {
    compiled.renderPath(input, previewContext(compiled.agent, source));
    return null;
  } catch (error) {
    // By name: this module must not load the agent layer.
    if (!(error instanceof Error) || error.name !== 'AgentError') throw error;
    return { property: '', message: error.message };
  }
}

/** The context of a job that is not queued yet. */
export function previewContext(agent: Agent, source: string): JobContext {
  const createdAt = new Date().toISOString();
  return { id: 'preview', shortId: 'preview', agent: agent.name, attempt: 1, source, createdAt };
}

export interface InputChecks {
  readonly check: DraftCheck;
  /** What was wrong with flag values, found before. */
  readonly flagProblems: readonly InputProblem[];
  /** Called with each input that is good, its defaults filled in; may throw. */
  readonly take: (draft: Draft, index: number) => void;
}

/**
 * Reads and checks all inputs, a few at a time.
 * @throws CliError `invalid` listing every problem with property, value and limit, or every input that
 *   cannot be read; what `take` throws
 */
export async function checkInputs(
  agent: Agent,
  inputs: Inputs,
  { check, flagProblems, take }: InputChecks,
): Promise<void> {
  const reported = new Set(flagProblems.map(({ property }) => property));
  const failed = new Map<string, Failed>();
  const unread: Unread = { first: [], inputs: 0 };
  const checkOne = (draft: Draft, index: number): void => {
    const result = check(draft);
    if (result.ok) return take({ ...draft, input: result.input }, index);
    const problems = result.problems.filter(({ property }) => !reported.has(property));
    for (const problem of problems) addFailed(failed, problem, draft.origin);
  };
  for (let from = 0; from < inputs.count; from += inputsAtOnce) {
    const drafts = await inputs.read(from, from + inputsAtOnce);
    for (const [at, draft] of drafts.entries()) {
      if (draft instanceof CliError) addUnread(unread, draft);
      else checkOne(draft, from + at);
    }
  }
  if (unread.inputs > 0) throw unreadable(unread, inputs.count);
  if (failed.size === 0 && flagProblems.length === 0) return;
  const found = [...failed.values()].map(({ problem, origins, inputs: count }) => ({
    property: problem.property,
    message: problem.message + whereText(origins, count, inputs.count),
  }));
  throw inputDoesNotFit(agent, [...flagProblems, ...found]);
}

/** A problem, the number of inputs that have it, and the first of them. */
interface Failed {
  readonly problem: InputProblem;
  readonly origins: string[];
  inputs: number;
}

function addFailed(failed: Map<string, Failed>, problem: InputProblem, origin: string): void {
  const key = `${problem.property}\n${problem.message}`;
  const entry = failed.get(key) ?? { problem, origins: [], inputs: 0 };
  entry.inputs += 1;
  if (entry.origins.length < shownOriginsMax) entry.origins.push(origin);
  failed.set(key, entry);
}

/** Inputs that cannot be read: how many, and the first of them. */
interface Unread {
  readonly first: CliError[];
  inputs: number;
}

const shownUnreadMax = 50;

function addUnread(unread: Unread, error: CliError): void {
  unread.inputs += 1;
  if (unread.first.length < shownUnreadMax) unread.first.push(error);
}

function unreadable({ first, inputs: count }: Unread, inputs: number): CliError {
  const [only] = first;
  if (only !== undefined && count === 1) return only;
  const lines = first.flatMap((error) => formatReport(reportOf(error)).slice(0, 1));
  if (count > first.length) lines.push(`and ${count - first.length} more`);
  return new CliError(
    'invalid',
    `${count} of ${inputs} inputs cannot be read; nothing was queued`,
    lines,
  );
}

/** The files with a problem; none when all have it, because then it comes from the flags. */
function whereText(origins: readonly string[], count: number, inputs: number): string {
  if (count === inputs && inputs > 1) return '';
  const named = origins.filter((origin) => origin !== '');
  if (named.length === 0) return '';
  const more = count > named.length ? ` and ${count - named.length} more` : '';
  return ` (${named.join(', ')}${more})`;
}

const shownOriginsMax = 5;

/** The error for problems that were found, with the place of the schema. */
export function inputDoesNotFit(agent: Agent, problems: readonly InputProblem[]): CliError {
  const { primary } = agent.input;
  const lacksPrimary = problems.some(
    ({ property, message }) => property === primary && message === 'is required',
  );
  return new CliError('invalid', `input does not fit agent "${agent.name}"`, [
    ...problemLines(problems),
    '',
    ...(lacksPrimary ? [`${primary} comes from a file, --text or a pipe: aiq help input`] : []),
    `schema: ${pathFromHere(agent.file)}:${agent.input.schemaLine}`,
    `all flags: aiq enqueue ${agent.name} --help`,
  ]);
}

/** Problems in two columns: property and what is wrong with it. */
export function problemLines(problems: readonly InputProblem[]): string[] {
  const width = Math.max(...problems.map(({ property }) => property.length));
  return problems.map(({ property, message }) => `${property.padEnd(width)}  ${message}`.trim());
}
