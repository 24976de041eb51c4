/** Finds all problems of an agent without running it, for `aiq agents validate`. */

import { join } from 'node:path';
import { type Finding, readYamlFile, type YamlPath } from '../yaml/index.ts';
import type { Agent, JsonObject, Problem } from './agent.ts';
import { readAgent } from './manifest/read-agent.ts';
import { dotted, type Violation, violationsOf } from './schema/explain.ts';
import type { SchemaPlace } from './schema/user-schema.ts';
import { compileSchema, type ErrorObject, validator } from './schema/validator.ts';
import { asProblem, templateProblems } from './template/template-problems.ts';
import { templateEngine } from './template/templates.ts';

/** Reads the folder again, so that findings have the lines of its present files. */
export async function lintAgent(agent: Agent): Promise<Problem[]> {
  const result = await readAgent(agent.dir, agent.builtIn);
  if (!result.ok) return [...result.problems];
  const engine = await templateEngine();
  const found = [
    ...(await schemaProblems(result.agent)),
    ...templateProblems(engine, result.agent).map(asProblem),
  ];
  return found.sort((left, right) => left.line - right.line || left.column - right.column);
}

async function schemaProblems(agent: Agent): Promise<Finding[]> {
  const input = schemaPlace(agent, 'input');
  const output = schemaPlace(agent, 'output');
  const found: Finding[] = [];
  if (input !== null) {
    found.push(...(await metaProblems(agent.input.schema, input)));
    if (found.length === 0) found.push(...(await defaultProblems(agent.input.schema, input)));
  }
  if (output !== null && agent.output.schema !== null) {
    found.push(...(await metaProblems(agent.output.schema, output)));
  }
  return found;
}

/** Where a schema is written, or null when the agent has none of its own. */
function schemaPlace(agent: Agent, owner: 'input' | 'output'): SchemaPlace | null {
  const manifest = readYamlFile(agent.file);
  if (!manifest.ok) return null;
  const fields = manifest.file.value as { [name: string]: { schema?: JsonObject } | undefined };
  const schema = fields[owner]?.schema;
  if (schema === undefined) return null;
  const { $ref: reference } = schema;
  if (typeof reference !== 'string' || reference.startsWith('#')) {
    return { file: manifest.file, path: [owner, 'schema'] };
  }
  const other = readYamlFile(join(agent.dir, reference));
  return other.ok ? { file: other.file, path: [] } : null;
}

/** Values that a keyword cannot have, by the rules of JSON Schema itself. */
async function metaProblems(schema: JsonObject, place: SchemaPlace): Promise<Finding[]> {
  const ajv = await validator();
  const { $schema: _dialect, ...standalone } = schema;
  if (ajv.validateSchema(standalone) === true) return [];
  return findingsOf(ajv.errors ?? [], place, (path) => path);
}

/** Defaults that their own property refuses: every job that relies on one would fail. */
async function defaultProblems(schema: JsonObject, place: SchemaPlace): Promise<Finding[]> {
  const { required: _required, ...optional } = schema;
  const validate = await compileSchema(optional);
  if (validate({})) return [];
  const ofProperties = (validate.errors ?? []).filter((error) => error.instancePath !== '');
  return findingsOf(ofProperties, place, ([property = '']) => [
    'properties',
    String(property),
    'default',
  ]);
}

function findingsOf(
  errors: readonly ErrorObject[],
  { file, path: root }: SchemaPlace,
  placeOf: (path: Violation['path']) => YamlPath,
): Finding[] {
  return violationsOf(errors).map(({ path, message }) => {
    const at = placeOf(path);
    return {
      file: file.file,
      ...file.placeOf([...root, ...at]),
      message: `schema: "${dotted(at)}" ${message}`,
    };
  });
}
