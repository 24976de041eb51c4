/**
 * Handlebars with the safe settings: an engine of its own, strict, only known helpers, no prototype
 * access, no partials or decorators, sources as strings only. What was rendered is never compiled
 * again, so braces in a job's data stay braces.
 */

import { createRequire } from 'node:module';
import { compileFunction } from 'node:vm';
import type Handlebars from 'handlebars';
import { KeptResults } from '../../base/index.ts';
import { formatFinding } from '../../yaml/index.ts';
import { AgentError, type Problem, type TemplateSource } from '../agent.ts';
import { asHandlebarsHelper, inlineHelpers, type Location, TemplateFault } from './helpers.ts';

/** Largest template, in characters. */
const sourceLengthMax = 256 * 1024;
const tagsMax = 5_000;
const openTagsMax = 200;
/** Largest rendered text, in characters: a prompt may hold an input of 1 MiB more than once. */
const renderedLengthMax = 4 * 1024 * 1024;
/** Most turns of all `each` blocks in one rendering, nested ones multiplied. */
const turnsMax = 100_000;

export type Program = hbs.AST.Program;

export interface TemplateEngine {
  /** @throws TemplateParseError */
  parse(source: TemplateSource): Program;
  compile(source: TemplateSource): Template;
}

/** Renders with the given variables. @throws AgentError `template_failed` */
export type Template = (variables: { readonly [name: string]: unknown }) => string;

/** A template that does not parse; the place is in the template's file. */
export class TemplateParseError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.name = 'TemplateParseError';
    this.problem = problem;
  }
}

let engine: Promise<TemplateEngine> | null = null;

/** The packages in one file each: `enqueue` would wait twice as long for their sixty modules. */
const runtimeFile: string = 'handlebars/dist/handlebars.runtime.min.js';
const compilerFile: string = 'handlebars/dist/handlebars.min.js';

/** Loads what renders templates; the rest comes when one is parsed that is not known from before. */
export function templateEngine(): Promise<TemplateEngine> {
  engine ??= import(runtimeFile).then((module: { default: typeof Handlebars }) =>
    createEngine(module.default),
  );
  return engine;
}

function createEngine(library: typeof Handlebars): TemplateEngine {
  const handlebars = library.create();
  for (const [name, helper] of Object.entries(inlineHelpers)) {
    handlebars.registerHelper(name, asHandlebarsHelper(helper));
  }
  handlebars.unregisterHelper('log');
  boundEach(handlebars);
  const trees = new KeptResults('templates', import.meta.dirname);
  const codes = new KeptResults('rendering', import.meta.dirname);
  return {
    parse: (source) => parse(trees, source),
    compile: (source) => compile(handlebars, parse(trees, source), codes, source),
  };
}

function compiler(): typeof Handlebars {
  return createRequire(import.meta.url)(compilerFile) as typeof Handlebars;
}

/** What one rendering may still do; `each` finds it through its data frame. */
interface Budget {
  turns: number;
  length: number;
}

type EachOptions = Handlebars.HelperOptions & {
  readonly data: { readonly budget: Budget };
  readonly loc: Location;
};

/** Lists come from job data: without a bound, nested `each` blocks multiply their lengths. */
function boundEach(handlebars: typeof Handlebars): void {
  const each = handlebars.helpers['each'] as Handlebars.HelperDelegate;
  handlebars.registerHelper('each', function (this: unknown, items, options) {
    const { fn, data, loc } = options as EachOptions;
    const { budget } = data;
    const counted: Handlebars.TemplateDelegate = (item, runtime) => {
      budget.turns -= 1;
      const text = fn(item, runtime);
      budget.length -= text.length;
      if (budget.turns < 0) throw new TemplateFault(`"each" took over ${turnsMax} turns`, { loc });
      if (budget.length < 0) throw new TemplateFault(tooLong, { loc });
      return text;
    };
    return each.call(this, items, { ...options, fn: counted }) as unknown;
  });
}

const tooLong = `the rendered text is longer than ${renderedLengthMax} characters`;

function parse(trees: KeptResults, source: TemplateSource): Program {
  // An object would be taken for a syntax tree and run as code (CVE-2026-33937): text only.
  if (typeof source.text !== 'string') throw new TypeError('a template must be text');
  const fail = (message: string, line = 1, column = 0): TemplateParseError =>
    new TemplateParseError(problemAt(source, { start: { line, column } }, message));
  const excess = excessOf(source.text);
  if (excess !== null) throw fail(`the template is too large: ${excess}`);
  const kept = trees.find(source.text);
  if (kept !== null) return JSON.parse(kept) as Program;
  try {
    const program = compiler().parse(source.text);
    trees.keep(source.text, JSON.stringify(program));
    return program;
  } catch (error) {
    const { message, lineNumber, column } = error as HandlebarsError;
    const line = lineNumber ?? Number(/line (\d+)/.exec(message)?.[1] ?? 1);
    const [, got] = /got '(\w+)'/.exec(message) ?? [];
    const reason =
      got === undefined
        ? message.replace(/ - \d+:\d+$/, '')
        : `unexpected ${tokenNames[got] ?? got} in ${excerptOf(message)}`;
    throw fail(`the template does not parse: ${reason}`, line, column ?? 0);
  }
}

/** The parser's time grows with the square of the depth, so the text is scanned first. */
function excessOf(text: string): string | null {
  if (text.length > sourceLengthMax) return `over ${sourceLengthMax} characters`;
  let tags = 0;
  let depth = 0;
  for (const [tag] of text.matchAll(/\{\{[~]?[#^/]?/g)) {
    tags += 1;
    if (tag.endsWith('#') || tag.endsWith('^')) depth += 1;
    else if (tag.endsWith('/')) depth -= 1;
    if (tags > tagsMax) return `over ${tagsMax} tags`;
    if (depth > openTagsMax) return `over ${openTagsMax} open blocks`;
  }
  return null;
}

interface HandlebarsError extends Error {
  readonly lineNumber?: number;
  readonly column?: number;
}

const tokenNames: { readonly [token: string]: string } = {
  EOF: 'end of the template (is a block or a brace left open?)',
  INVALID: 'character',
  OPEN_ENDBLOCK: 'end of a block',
  CLOSE: 'closing braces',
};

/** The second line of Handlebars' message is the text around the fault. */
function excerptOf(message: string): string {
  return JSON.stringify((message.split('\n')[1] ?? '').slice(0, 60));
}

function compile(
  handlebars: typeof Handlebars,
  program: Program,
  codes: KeptResults,
  source: TemplateSource,
): Template {
  // Most instructions have no tags, and Handlebars sets up as much for them as for any other text.
  if (!source.text.includes('{{') && source.text.length <= renderedLengthMax) {
    return () => source.text;
  }
  let code = codes.find(source.text);
  if (code === null) {
    code = compiler().precompile(source.text, safeSettings) as string;
    codes.keep(source.text, code);
  }
  const render = handlebars.template<unknown>(
    compileFunction(`return ${code}`)() as TemplateSpecification,
  );
  return (variables) => {
    const budget: Budget = { turns: turnsMax, length: renderedLengthMax };
    try {
      const text = render(variables, { data: { budget } });
      if (text.length <= renderedLengthMax) return text;
      throw new TemplateFault(tooLong);
    } catch (error) {
      throw failure(source, program, variables, error as Error);
    }
  };
}

const safeSettings = {
  noEscape: true,
  strict: true,
  knownHelpersOnly: true,
  // Handlebars has a helper `log` by default.
  knownHelpers: {
    ...Object.fromEntries(Object.keys(inlineHelpers).map((name) => [name, true])),
    log: false,
  },
};

/** A place inside a template as a place in its file. */
export function problemAt(source: TemplateSource, loc: Location, message: string): Problem {
  return {
    file: source.file,
    line: source.line + loc.start.line - 1,
    column: loc.start.column + 1 + (source.indent ?? 0),
    message,
  };
}

/** Replaces Handlebars' `"x" not defined in [object Object]` by the variable and its position. */
function failure(
  source: TemplateSource,
  program: Program,
  variables: { readonly [name: string]: unknown },
  error: Error,
): AgentError {
  const { lineNumber, column } = error as HandlebarsError;
  let loc = error instanceof TemplateFault ? error.loc : undefined;
  if (lineNumber !== undefined) loc = { start: { line: lineNumber, column: column ?? 0 } };
  let message = error.message.replace(/ - \d+:\d+$/, '');
  if (/not defined in|Cannot read properties|Cannot use 'in'/.test(message)) {
    const missing = firstMissing(program, variables, loc);
    loc ??= missing?.loc;
    message = `the template needs ${missing?.original ?? message}, which this job does not have`;
  }
  const problem = problemAt(source, loc ?? { start: { line: 1, column: 0 } }, message);
  return new AgentError('template_failed', formatFinding(problem), { cause: error });
}

/** The path at a place, or without a place the first one that leads nowhere from the root. */
function firstMissing(
  program: Program,
  variables: { readonly [name: string]: unknown },
  loc: Location | undefined,
): hbs.AST.PathExpression | undefined {
  return pathsOf(program).find((path) =>
    loc === undefined
      ? leadsNowhere(path, variables)
      : path.loc.start.line === loc.start.line && path.loc.start.column >= loc.start.column,
  );
}

function leadsNowhere(path: hbs.AST.PathExpression, variables: unknown): boolean {
  if (path.data || path.depth > 0) return false;
  let value = variables;
  for (const part of path.parts.slice(0, -1)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return true;
    value = (value as { [name: string]: unknown })[part];
  }
  return path.parts.length > 1 && (typeof value !== 'object' || value === null);
}

/** Every path expression of a syntax tree, in the order of the text. */
export function pathsOf(node: unknown): hbs.AST.PathExpression[] {
  if (typeof node !== 'object' || node === null) return [];
  if (Array.isArray(node)) return node.flatMap(pathsOf);
  if ((node as hbs.AST.Node).type === 'PathExpression') return [node as hbs.AST.PathExpression];
  return Object.entries(node).flatMap(([key, child]) => (key === 'loc' ? [] : pathsOf(child)));
}
