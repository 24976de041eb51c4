/**
 * What is wrong with a template before it ever runs: constructs that are not allowed, helpers that
 * do not exist, variables that the schema lacks, objects that would print as `[object Object]`.
 */

import { listOf, suggestion } from '../../yaml/index.ts';
import type { Problem, TemplateSource } from '../agent.ts';
import { inlineHelpers } from './helpers.ts';
import { itemsOf, kindOf, memberOf, type Shape, unknownShape } from './template-shape.ts';
import { type Program, problemAt } from './templates.ts';

type Ast = hbs.AST.Node;
type Call = hbs.AST.MustacheStatement | hbs.AST.BlockStatement | hbs.AST.SubExpression;

const nodesMax = 2_000;
const depthMax = 20;
const blockHelpers = ['if', 'unless', 'each', 'with'];
const helperNames = new Set([...Object.keys(inlineHelpers), ...blockHelpers, 'lookup']);
const dataVariables = new Set(['index', 'key', 'first', 'last', 'root']);

/** `advice`: true for what may fail for some jobs only. */
export interface TemplateProblem extends Problem {
  readonly advice: boolean;
}

/** Checks a parsed template against what its variables are known to hold. */
export function checkTemplate(
  source: TemplateSource,
  program: Program,
  variables: Shape,
): TemplateProblem[] {
  const check: Check = { source, problems: [], nodes: 0, overLimit: false, root: variables };
  visitProgram(check, program, { context: variables, parent: null, names: {}, guards: new Set() });
  return check.problems;
}

interface Check {
  readonly source: TemplateSource;
  readonly problems: TemplateProblem[];
  readonly root: Shape;
  nodes: number;
  overLimit: boolean;
}

/** What names mean at one place: `this`, what `../` leads to, block parameters, tested variables. */
interface Scope {
  readonly context: Shape;
  readonly parent: Scope | null;
  readonly names: { readonly [name: string]: Shape };
  readonly guards: ReadonlySet<string>;
}

function report(check: Check, node: Ast, message: string, advice = false): void {
  check.problems.push({ ...problemAt(check.source, node.loc, message), advice });
}

/** True while the template is within its limits; reports once when it is not. */
function within(check: Check, node: Ast, depth: number): boolean {
  check.nodes += 1;
  if (check.nodes <= nodesMax && depth <= depthMax) return true;
  const what = depth > depthMax ? `blocks nested over ${depthMax} deep` : `over ${nodesMax} parts`;
  if (!check.overLimit) report(check, node, `the template is too large: ${what}`);
  check.overLimit = true;
  return false;
}

function visitProgram(check: Check, program: Program | undefined, scope: Scope, depth = 1): void {
  for (const statement of program?.body ?? []) {
    if (!within(check, statement, depth)) return;
    visitStatement(check, statement, scope, depth);
  }
}

const refusals: { readonly [type: string]: string } = {
  PartialStatement: 'partials are not supported; put the text into the template',
  PartialBlockStatement: 'partials are not supported; put the text into the template',
  Decorator: 'decorators are not allowed',
  DecoratorBlock: 'decorators are not allowed',
};

function visitStatement(check: Check, statement: Ast, scope: Scope, depth: number): void {
  const refusal = refusals[statement.type];
  if (refusal !== undefined) report(check, statement, refusal);
  else if (statement.type === 'BlockStatement') {
    visitBlock(check, statement as hbs.AST.BlockStatement, scope, depth);
  } else if (statement.type === 'MustacheStatement') {
    visitMustache(check, statement as hbs.AST.MustacheStatement, scope, depth);
  }
}

function visitMustache(
  check: Check,
  statement: hbs.AST.MustacheStatement,
  scope: Scope,
  depth: number,
): void {
  const { path } = statement;
  if (isCall(statement)) return visitCall(check, statement, scope, depth);
  if (path.type !== 'PathExpression') return;
  const variable = path as hbs.AST.PathExpression;
  const found = resolve(check, variable, scope);
  const kind = found === null ? null : kindOf(found.shape);
  if (kind === 'object' || kind === 'array') {
    const what =
      kind === 'object'
        ? 'an object; print it with json'
        : 'a list; print it with join, json or each';
    report(check, variable, `${variable.original} is ${what}`);
  } else if (found?.optional === true && !scope.guards.has(variable.original)) {
    const fix = `put {{#if ${variable.original}}} around it, or give it a default`;
    report(check, variable, `a job may lack ${variable.original}; ${fix}`, true);
  }
}

function isCall(call: Call): boolean {
  return call.params.length > 0 || pairsOf(call).length > 0 || helperNames.has(nameOf(call));
}

function nameOf(call: Call): string {
  return 'original' in call.path ? call.path.original : '';
}

/** `key=value` arguments; without any, the syntax tree has no list at all. */
function pairsOf(call: Call): readonly hbs.AST.HashPair[] {
  return (call.hash as hbs.AST.Hash | undefined)?.pairs ?? [];
}

/** A helper with its arguments, in a mustache or between brackets. */
function visitCall(check: Check, call: Call, scope: Scope, depth: number): void {
  const name = nameOf(call);
  if (!helperNames.has(name)) {
    const near = suggestion(name, helperNames);
    report(check, call, `unknown helper "${name}".${near} Helpers: ${listOf([...helperNames])}`);
  } else if (blockHelpers.includes(name) && call.type !== 'BlockStatement') {
    report(check, call, `"${name}" is a block: {{#${name} …}} … {{/${name}}}`);
  }
  visitArguments(check, call, scope, depth);
}

function visitArguments(check: Check, call: Call, scope: Scope, depth: number): void {
  for (const value of [...call.params, ...pairsOf(call).map((pair) => pair.value)]) {
    if (!within(check, value, depth + 1)) return;
    if (value.type === 'PathExpression') {
      resolve(check, value as hbs.AST.PathExpression, scope);
    } else if (value.type === 'SubExpression') {
      visitCall(check, value as hbs.AST.SubExpression, scope, depth + 1);
    }
  }
}

function visitBlock(
  check: Check,
  block: hbs.AST.BlockStatement,
  scope: Scope,
  depth: number,
): void {
  const name = block.path.original;
  if (!blockHelpers.includes(name)) {
    const message = helperNames.has(name)
      ? `"${name}" is no block; write {{#if (${name} …)}}`
      : `"${name}" is no block helper; write {{#each …}}, {{#with …}} or {{#if …}}`;
    report(check, block, message);
    return;
  }
  visitArguments(check, block, scope, depth);
  visitProgram(check, block.program, innerScope(check, block, scope), depth + 1);
  visitProgram(check, block.inverse, scope, depth + 1);
}

function innerScope(check: Check, block: hbs.AST.BlockStatement, scope: Scope): Scope {
  const [subject] = block.params;
  const name = block.path.original;
  if (name === 'if' || name === 'unless') {
    const tested = name === 'if' ? pathsIn(subject) : [];
    return { ...scope, guards: new Set([...scope.guards, ...tested]) };
  }
  let shape = unknownShape;
  if (subject?.type === 'PathExpression') {
    // Its problems were reported with the arguments; this pass is for the shape alone.
    const silent: Check = { ...check, problems: [] };
    shape = resolve(silent, subject as hbs.AST.PathExpression, scope)?.shape ?? unknownShape;
  }
  const context = name === 'each' ? itemsOf(shape) : shape;
  const [item, key] = (block.program as Program | undefined)?.blockParams ?? [];
  const names = { ...scope.names };
  if (item !== undefined) names[item] = context;
  if (key !== undefined) names[key] = unknownShape;
  return { context, parent: scope, names, guards: scope.guards };
}

/** The variables that a condition tests, as they are written. */
function pathsIn(expression: Ast | undefined): string[] {
  if (expression === undefined) return [];
  if (expression.type === 'PathExpression')
    return [(expression as hbs.AST.PathExpression).original];
  const { params } = expression as Partial<hbs.AST.SubExpression>;
  return (params ?? []).flatMap(pathsIn);
}

interface Resolved {
  readonly shape: Shape;
  readonly optional: boolean;
}

/** What a variable leads to; reports the first name on the way that nothing can have. */
function resolve(check: Check, path: hbs.AST.PathExpression, scope: Scope): Resolved | null {
  const start = startOf(check, path, scope);
  if (start === null) return null;
  let { shape } = start;
  let optional = false;
  for (const [index, part] of start.parts.entries()) {
    const member = memberOf(shape, part);
    if (!member.found) {
      const owner = path.parts.slice(0, path.parts.length - start.parts.length + index).join('.');
      reportMissing(check, path, { owner, part, known: member.known }, scope);
      return null;
    }
    ({ shape } = member);
    optional ||= member.optional;
  }
  return { shape, optional };
}

function startOf(
  check: Check,
  path: hbs.AST.PathExpression,
  scope: Scope,
): { shape: Shape; parts: readonly string[] } | null {
  const [first = '', ...rest] = path.parts;
  if (path.data) {
    if (first === 'root') return { shape: check.root, parts: rest };
    if (dataVariables.has(first)) return { shape: unknownShape, parts: rest };
    report(check, path, `unknown variable @${first}; there are @index, @key, @first, @last, @root`);
    return null;
  }
  if (path.depth === 0 && Object.hasOwn(scope.names, first)) {
    return { shape: scope.names[first] ?? unknownShape, parts: rest };
  }
  let at: Scope | null = scope;
  for (let step = 0; step < path.depth && at !== null; step++) at = at.parent;
  if (at === null) {
    report(check, path, `${path.original} leads above the top of the template`);
    return null;
  }
  return { shape: at.context, parts: path.parts };
}

function reportMissing(
  check: Check,
  path: hbs.AST.PathExpression,
  missing: { owner: string; part: string; known: readonly string[] },
  scope: Scope,
): void {
  const { owner, part, known } = missing;
  const near = suggestion(part, known);
  const where = owner === '' ? 'the template has no variable' : `"${owner}" has no`;
  const outside = scope.parent !== null && memberOf(check.root, part).found;
  const fix = outside ? ` Inside a block write @root.${path.original}.` : near;
  const list = known.length > 0 && fix === '' ? ` There is: ${listOf(known)}` : '';
  report(check, path, `${where} "${part}".${fix}${list}`);
}
