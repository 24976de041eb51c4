/**
 * The one Ajv instance of a process (a second one costs as much as loading the package), loaded on
 * first use: JSON Schema 2020-12, strict, all errors at once, defaults filled in.
 */

import type { Ajv2020, ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import type { JsonObject } from './agent.ts';

export type { ErrorObject, ValidateFunction };

let instance: Promise<Ajv2020> | null = null;

export function validator(): Promise<Ajv2020> {
  instance ??= createValidator();
  return instance;
}

async function createValidator(): Promise<Ajv2020> {
  const [{ Ajv2020: Ajv }, formats] = await Promise.all([
    import('ajv/dist/2020.js'),
    import('ajv-formats'),
  ]);
  const ajv = new Ajv({
    strict: true,
    allowUnionTypes: true,
    allErrors: true,
    useDefaults: true,
    // Errors carry the schema around the keyword, so that a message can name examples.
    verbose: true,
    // Compiling the meta-schema would cost 20 ms in every command. `lintAgent` asks for it by name;
    // strict mode and `user-schema.ts` refuse what matters without it.
    validateSchema: false,
    logger: false,
  });
  formats.default.default(ajv);
  ajv.addKeyword({ keyword: 'x-aiq', schemaType: 'object' });
  return ajv;
}

const compiled = new WeakMap<JsonObject, ValidateFunction>();

/**
 * Compiles a schema that stands alone, once per schema object. Its identity is left out: two agents
 * may use the same `$id`, and what it names must never be looked up elsewhere.
 * @throws Error when the schema is none
 */
export async function compileSchema(schema: JsonObject): Promise<ValidateFunction> {
  const ajv = await validator();
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  const { $id: _id, $schema: _dialect, ...standalone } = schema;
  const validate = ajv.compile(standalone);
  compiled.set(schema, validate);
  return validate;
}
