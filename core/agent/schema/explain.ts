/** What Ajv found, in words for people: property, value, limit and the nearest allowed word. */

import { type LostNumber, listOf, lostText, shorten, suggestion } from '../../yaml/index.ts';
import type { InputProblem } from '../agent.ts';
import { hiddenValue } from './secrets.ts';
import type { ErrorObject } from './validator.ts';

/** One violation: where it is, and what is wrong there. The message begins with the value. */
export interface Violation {
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** The unknown property itself, for messages that point at its key. */
  readonly unknownProperty: string | null;
}

/** All violations, without the repetitions that branching keywords add. */
export function violationsOf(errors: readonly ErrorObject[]): Violation[] {
  const seen = new Set<string>();
  return withoutBranchNoise(errors)
    .map(violationOf)
    .filter((violation) => {
      const key = `${violation.path.join('/')} ${violation.message}`;
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    });
}

/**
 * `anyOf` and `oneOf` report every branch and then themselves. When the value's type fits some
 * branch, what that branch says is the answer; otherwise the keyword's own message is.
 */
function withoutBranchNoise(errors: readonly ErrorObject[]): ErrorObject[] {
  const dropped = new Set<ErrorObject>(errors.filter(({ keyword }) => keyword === 'if'));
  for (const error of errors) {
    if (error.keyword !== 'anyOf' && error.keyword !== 'oneOf') continue;
    const branches = Map.groupBy(
      errors.filter((other) => other.schemaPath.startsWith(`${error.schemaPath}/`)),
      (other) => other.schemaPath.slice(error.schemaPath.length + 1).split('/', 1)[0],
    );
    const fits = [...branches.values()].map((branch) => !branch.some((e) => isTypeOf(e, error)));
    if (fits.includes(true)) dropped.add(error);
    [...branches.values()].forEach((branch, index) => {
      if (fits[index] === false) for (const other of branch) dropped.add(other);
    });
  }
  return errors.filter((error) => !dropped.has(error));
}

function isTypeOf(error: ErrorObject, branching: ErrorObject): boolean {
  return error.keyword === 'type' && error.instancePath === branching.instancePath;
}

/**
 * The violations as the rows of an input report.
 * @param shown the checked value as it may be shown
 */
export function problemsOf(errors: readonly ErrorObject[], shown: unknown): InputProblem[] {
  const safe = errors.map((error) => ({ ...error, data: shownAt(error, shown) }));
  return violationsOf(safe).map(({ path, message }) => ({ property: dotted(path), message }));
}

/** What may be shown of the value that an error is about. */
function shownAt({ instancePath }: ErrorObject, shown: unknown): unknown {
  let value = shown;
  for (const step of pointerSteps(instancePath)) {
    if (value === hiddenValue) break;
    value = (value as { readonly [key: string]: unknown } | undefined)?.[step];
  }
  return value;
}

/** Numbers that cannot be kept, as rows of an input report. */
export function lostProblems(
  lost: readonly LostNumber[],
  above: readonly string[] = [],
): InputProblem[] {
  return lost.map(({ path, text }) => ({
    property: dotted([...above, ...path]),
    message: lostText(text),
  }));
}

/** `files.0.path` */
export function dotted(path: readonly (string | number)[]): string {
  return path.join('.');
}

/** Undoes the two escapes of a JSON pointer. */
export function pointerSteps(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function violationOf(error: ErrorObject): Violation {
  const path = pointerSteps(error.instancePath);
  const params = error.params as { [key: string]: unknown };
  if (error.keyword === 'additionalProperties' || error.keyword === 'unevaluatedProperties') {
    const name = String(params['additionalProperty'] ?? params['unevaluatedProperty']);
    const known = Object.keys((error.parentSchema?.['properties'] ?? {}) as object);
    const near = suggestion(name, known);
    const message = `unknown property${near === '' ? `; known: ${listOf(known)}` : `.${near}`}`;
    return { path: [...path, name], message, unknownProperty: name };
  }
  if (error.keyword === 'required' || error.keyword === 'dependentRequired') {
    const name = String(params['missingProperty']);
    const message =
      error.keyword === 'required'
        ? 'is required'
        : `is required when ${String(params['property'])} is given`;
    return { path: [...path, name], message, unknownProperty: null };
  }
  return { path, message: messageOf(error, params), unknownProperty: null };
}

type Explain = (value: string, limit: unknown, error: ErrorObject) => string;

const explanations: { readonly [keyword: string]: Explain } = {
  type: (value, limit) => `${value} is not ${nameOfType(limit)}`,
  enum: (value, _, error) => explainEnum(value, error),
  const: (value, _, error) => `${value} is not ${shorten(error.params['allowedValue'])}`,
  maximum: (value, limit) => `${value} is over the maximum of ${String(limit)}`,
  minimum: (value, limit) => `${value} is under the minimum of ${String(limit)}`,
  exclusiveMaximum: (value, limit) => `${value} is not below ${String(limit)}`,
  exclusiveMinimum: (value, limit) => `${value} is not above ${String(limit)}`,
  multipleOf: (value, _, error) => `${value} is no multiple of ${error.params['multipleOf']}`,
  maxLength: (value, limit, error) =>
    `${value} is ${lengthOf(error.data)} long; at most ${String(limit)} characters are allowed`,
  minLength: (value, limit, error) =>
    error.data === ''
      ? 'is empty'
      : `${value} is ${lengthOf(error.data)} long; at least ${String(limit)} characters are needed`,
  pattern: (value, _, error) =>
    examplesOf(error) ?? `${value} does not match ${String(error.params['pattern'])}`,
  format: (value, _, error) => `${value} is not a valid ${error.params['format']}`,
  maxItems: (_, limit, error) =>
    `has ${lengthOf(error.data)} items; at most ${String(limit)} are allowed`,
  minItems: (_, limit, error) =>
    `has ${lengthOf(error.data)} items; at least ${String(limit)} are needed`,
  maxProperties: (_, limit) => `has more than ${String(limit)} properties`,
  minProperties: (_, limit) => `has fewer than ${String(limit)} properties`,
  uniqueItems: (_, __, error) =>
    `items ${error.params['j']} and ${error.params['i']} are equal; each may appear once`,
  propertyNames: (_, __, error) =>
    `the property name ${shorten(error.params['propertyName'])} is not allowed`,
  anyOf: (value) => `${value} fits none of the allowed forms`,
  oneOf: (value) => `${value} does not fit exactly one of the allowed forms`,
  not: (value) => `${value} has a form that is not allowed`,
  'false schema': () => 'is not allowed',
};

function messageOf(error: ErrorObject, params: { [key: string]: unknown }): string {
  if (error.data === hiddenValue)
    return `is secret, so it is not shown; it breaks "${error.keyword}"`;
  const value = shorten(error.data);
  const limit = error.keyword === 'type' ? params['type'] : params['limit'];
  const explain = explanations[error.keyword];
  return explain?.(value, limit, error) ?? `${value} ${error.message ?? error.keyword}`;
}

function explainEnum(value: string, error: ErrorObject): string {
  const allowed = (error.params['allowedValues'] as unknown[]).map((item) =>
    typeof item === 'string' ? item : JSON.stringify(item),
  );
  const near = typeof error.data === 'string' ? suggestion(error.data, allowed) : '';
  return `${value} is not one of ${listOf(allowed)}${near === '' ? '' : `.${near}`}`;
}

const typeNames: { readonly [type: string]: string } = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  null: 'null',
};

function nameOfType(type: unknown): string {
  const types = Array.isArray(type) ? (type as string[]) : String(type).split(',');
  return types.map((name) => typeNames[name] ?? name).join(' or ');
}

function lengthOf(data: unknown): number {
  // Ajv counts code points, as JSON Schema says.
  if (typeof data === 'string') return Array.from(data).length;
  return Array.isArray(data) ? data.length : 0;
}

/** A pattern with examples is better explained by these. */
function examplesOf(error: ErrorObject): string | null {
  const examples: unknown = error.parentSchema?.['examples'];
  if (!Array.isArray(examples) || examples.length === 0) return null;
  return `${shorten(error.data)} is not of the form ${examples.map(String).join(' or ')}`;
}
