/** All templates of one agent, parsed and checked together. */

import type { Agent, Problem, TemplateSource } from '../agent.ts';
import { cleanPath } from '../output/output-path.ts';
import { checkTemplate, type TemplateProblem } from './template-check.ts';
import { variablesOf } from './template-shape.ts';
import {
  type Program,
  pathsOf,
  problemAt,
  type TemplateEngine,
  TemplateParseError,
} from './templates.ts';

/** The finding alone, as others see it. */
export function asProblem({ file, line, column, message }: TemplateProblem): Problem {
  return { file, line, column, message };
}

/** Every finding in the order of the templates; those without `advice` make the agent unusable. */
export function templateProblems(engine: TemplateEngine, agent: Agent): TemplateProblem[] {
  const { instructions, prompt, output } = agent;
  const ofOutput = [output.file, ...(output.template === null ? [] : [output.template])];
  return [
    ...[instructions, ...(prompt === null ? [] : [prompt])].flatMap((source) =>
      problemsOf(engine, agent, source, false),
    ),
    ...ofOutput.flatMap((source) => problemsOf(engine, agent, source, true)),
    ...patternProblems(engine, output.file),
  ];
}

function problemsOf(
  engine: TemplateEngine,
  agent: Agent,
  source: TemplateSource,
  withOutput: boolean,
): TemplateProblem[] {
  try {
    return checkTemplate(source, engine.parse(source), variablesOf(agent, withOutput));
  } catch (error) {
    if (error instanceof TemplateParseError) return [{ ...error.problem, advice: false }];
    throw error;
  }
}

/** Problems of the path that do not depend on the pattern's variables. */
function patternProblems(engine: TemplateEngine, source: TemplateSource): TemplateProblem[] {
  let program: Program;
  try {
    program = engine.parse(source);
  } catch {
    return [];
  }
  const start = { start: { line: 1, column: 0 } };
  const shape = program.body.map((part) => textOf(part) ?? 'x').join('');
  const path = cleanPath(shape);
  if (!path.ok)
    return [{ ...problemAt(source, start, `output.file: ${path.message}`), advice: false }];
  // Inside blocks a part may or may not be printed; ".." is wrong either way.
  if (contentsOf(program).some((text) => /(^|[/\\])\.\.([/\\]|$)/.test(text))) {
    const message = 'output.file: the pattern leaves the output folder ("..")';
    return [{ ...problemAt(source, start, message), advice: false }];
  }
  return [];
}

function contentsOf(program: Program | undefined): string[] {
  return (program?.body ?? []).flatMap((statement) => {
    const { program: inner, inverse } = statement as Partial<hbs.AST.BlockStatement>;
    const text = textOf(statement);
    return [...(text === null ? [] : [text]), ...contentsOf(inner), ...contentsOf(inverse)];
  });
}

function textOf(statement: hbs.AST.Statement): string | null {
  if (statement.type === 'CommentStatement') return '';
  return statement.type === 'ContentStatement'
    ? (statement as hbs.AST.ContentStatement).value
    : null;
}

/** True when a template prints or tests the answer. */
export function needsOutput(engine: TemplateEngine, source: TemplateSource): boolean {
  return pathsOf(engine.parse(source)).some((path) => path.parts[0] === 'output');
}
