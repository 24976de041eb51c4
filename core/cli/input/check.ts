/** Checks drafts against the agent's schema and reports all problems of all drafts at once. */

import type {
  Agent,
  CompiledAgent,
  InputProblem,
  JobContext,
  JsonObject,
} from '../../agent/index.ts';
import { CliError } from '../errors.ts';
import { pathFromHere } from '../output/format.ts';
import type { Draft } from './drafts.ts';

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

/**
 * The drafts with their defaults filled in.
 * @param flagProblems what was wrong with flag values, found before
 * @throws CliError `invalid` listing every problem with property, value and limit
 */
export function checkDrafts(
  agent: Agent,
  drafts: readonly Draft[],
  check: DraftCheck,
  flagProblems: readonly InputProblem[],
): Draft[] {
  const reported = new Set(flagProblems.map(({ property }) => property));
  const checked: Draft[] = [];
  const failed = new Map<string, { problem: InputProblem; origins: string[] }>();
  for (const draft of drafts) {
    const result = check(draft);
    if (result.ok) checked.push({ ...draft, input: result.input });
    for (const problem of result.ok ? [] : result.problems) {
      if (reported.has(problem.property)) continue;
      const key = `${problem.property}\n${problem.message}`;
      const entry = failed.get(key) ?? { problem, origins: [] };
      entry.origins.push(draft.origin);
      failed.set(key, entry);
    }
  }
  if (failed.size === 0 && flagProblems.length === 0) return checked;
  const found = [...failed.values()].map(({ problem, origins }) => ({
    property: problem.property,
    message: problem.message + whereText(origins, drafts.length),
  }));
  throw inputDoesNotFit(agent, [...flagProblems, ...found]);
}

/** The files with a problem; none when all have it, because then it comes from the flags. */
function whereText(origins: readonly string[], drafts: number): string {
  if (origins.length === drafts && drafts > 1) return '';
  const named = origins.filter((origin) => origin !== '');
  if (named.length === 0) return '';
  const shown = named.slice(0, shownOriginsMax).join(', ');
  const more = named.length > shownOriginsMax ? ` and ${named.length - shownOriginsMax} more` : '';
  return ` (${shown}${more})`;
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
