/**
 * The one Ajv instance of a process (a second one costs as much as loading the package), loaded on
 * first use: JSON Schema 2020-12, strict, all errors at once, defaults filled in.
 */

import type { Ajv2020, ErrorObject } from 'ajv/dist/2020.js';
import { isMultipleOf } from '../../yaml/index.ts';
import type { JsonObject } from '../agent.ts';
import { findCheck, keepCheck, ownModule } from './kept-checks.ts';
import { BlockedError, withTimeLimit } from './time-limit.ts';

export type { ErrorObject };

/** True when the value fits; otherwise `errors` says why, until the next call. */
export interface ValidateFunction<T = unknown> {
  (value: unknown): value is T;
  errors?: ErrorObject[] | null;
}

let instance: Promise<Ajv2020> | null = null;

export function validator(): Promise<Ajv2020> {
  instance ??= createValidator();
  return instance;
}

async function createValidator(): Promise<Ajv2020> {
  const [{ Ajv2020: Ajv, _ }, formats] = await Promise.all([
    import('ajv/dist/2020.js'),
    import('ajv-formats'),
  ]);
  const ajv = new Ajv({
    strict: true,
    allowUnionTypes: true,
    allErrors: true,
    useDefaults: true,
    // Inherited properties such as `toString` are not part of the input.
    ownProperties: true,
    // Errors carry the schema around the keyword, so that a message can name examples.
    verbose: true,
    // Compiling the meta-schema would cost 20 ms in every command. `lintAgent` asks for it by name;
    // strict mode and `user-schema.ts` refuse what matters without it.
    validateSchema: false,
    logger: false,
    code: { source: true },
  });
  formats.default.default(ajv);
  ajv.addKeyword({ keyword: 'x-aiq', schemaType: 'object' });
  // Ajv divides in binary, in which 19.99 is no multiple of 0.01.
  ajv.removeKeyword('multipleOf');
  ajv.addKeyword({
    keyword: 'multipleOf',
    type: 'number',
    schemaType: 'number',
    code(context) {
      const code = _`require(${ownModule}).isMultipleOf`;
      const check = context.gen.scopeValue('func', { key: ownModule, ref: isMultipleOf, code });
      context.fail(_`!${check}(${context.data}, ${context.schemaCode})`);
    },
    error: {
      message: ({ schemaCode }) => `must be multiple of ${String(schemaCode)}`,
      params: ({ schemaCode }) => _`{multipleOf: ${schemaCode}}`,
    },
  });
  return ajv;
}

const compiled = new WeakMap<JsonObject, ValidateFunction>();

/** A check takes microseconds, but with these keywords a value may keep it busy for ever. */
const mayBlock = /"(?:pattern|patternProperties|uniqueItems|format)":/;
const checkMsMax = 2_000;

/**
 * Compiles a self-contained schema, once per schema object. Its `$id` is left out: two agents may use
 * the same one, and references must never resolve elsewhere. A check that does not end is stopped
 * after two seconds: the value then does not fit.
 * @throws Error when the schema is none
 */
export async function compileSchema(schema: JsonObject): Promise<ValidateFunction> {
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  const validate = await compileOwnSchema(schema);
  // The guard costs more than most checks do.
  const guarded = mayBlock.test(JSON.stringify(schema)) ? interruptible(validate) : validate;
  compiled.set(schema, guarded);
  return guarded;
}

/** The same for a schema of ours, whose checks are known to end. */
export async function compileOwnSchema<T>(schema: JsonObject): Promise<ValidateFunction<T>> {
  const { $id: _id, $schema: _dialect, ...standalone } = schema;
  const kept = findCheck(standalone);
  if (kept !== null) return kept as ValidateFunction<T>;
  const [ajv, { default: asModule }] = await Promise.all([
    validator(),
    import('ajv/dist/standalone/index.js'),
  ]);
  const check = ajv.compile<T>(standalone);
  keepCheck(standalone, asModule.default(ajv, check));
  return check;
}

function interruptible(validate: ValidateFunction): ValidateFunction {
  const guarded: ValidateFunction = (value): value is unknown => {
    try {
      const fits = withTimeLimit(() => validate(value), checkMsMax);
      guarded.errors = validate.errors ?? null;
      return fits;
    } catch (error) {
      if (!(error instanceof BlockedError)) throw error;
      const message = `the check against the schema was given up: ${error.message}`;
      guarded.errors = [
        { keyword: 'time', instancePath: '', schemaPath: '#', params: {}, message },
      ];
      return false;
    }
  };
  return guarded;
}
