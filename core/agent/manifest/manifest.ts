/** Checks `agent.yaml` against the published schema; every finding has its line and column. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { didYouMean, type Finding, type YamlFile } from '../../yaml/index.ts';
import { packageRoot } from '../package-root.ts';
import { dotted, type Violation, violationsOf } from '../schema/explain.ts';
import { compileOwnSchema, type ValidateFunction } from '../schema/validator.ts';
import { foreignHint } from './foreign-names.ts';
import type { JsonObject, Manifest } from './manifest-type.ts';

interface SchemaNode {
  readonly properties?: { readonly [name: string]: SchemaNode };
  readonly items?: SchemaNode;
  readonly description?: string;
}

interface ManifestSchema {
  readonly validate: ValidateFunction<Manifest>;
  readonly schema: SchemaNode;
}

let published: Promise<ManifestSchema> | null = null;

function manifestSchema(): Promise<ManifestSchema> {
  published ??= (async () => {
    const file = join(packageRoot(), 'schema', 'agent.schema.json');
    const schema = JSON.parse(readFileSync(file, 'utf8')) as JsonObject;
    return { validate: await compileOwnSchema<Manifest>(schema), schema };
  })();
  return published;
}

export type CheckedManifest =
  | { readonly ok: true; readonly manifest: Manifest }
  | { readonly ok: false; readonly findings: Finding[] };

/** Checks a parsed file against the schema and fills the schema's defaults into `file.value`. */
export async function checkManifest(file: YamlFile): Promise<CheckedManifest> {
  const { validate, schema } = await manifestSchema();
  const { value } = file;
  if (validate(value)) return { ok: true, manifest: value };
  const findings = violationsOf(validate.errors ?? []).map((violation) => ({
    file: file.file,
    ...placeOf(file, violation),
    message: messageOf(violation, schema),
  }));
  return { ok: false, findings };
}

function placeOf(file: YamlFile, violation: Violation): { line: number; column: number } {
  const { path, unknownProperty } = violation;
  return unknownProperty === null ? file.placeOf(path) : file.keyPlaceOf(path);
}

function messageOf({ path, message, unknownProperty }: Violation, schema: SchemaNode): string {
  const field = dotted(path);
  if (unknownProperty !== null) return unknownField(unknownProperty, path, schema);
  if (path.length === 0) return `the file must be a mapping of fields: ${message}`;
  if (message !== 'is required') return `"${field}": ${message}`;
  const meaning = nodeAt(schema, path)?.description;
  return `"${field}" is missing${meaning === undefined ? '' : `. It is: ${meaning}`}`;
}

function unknownField(name: string, path: Violation['path'], schema: SchemaNode): string {
  const start = `unknown field "${name}"`;
  const hint = foreignHint(dotted(path));
  if (hint !== null) return `${start}: ${hint}`;
  const siblings = Object.keys(nodeAt(schema, path.slice(0, -1))?.properties ?? {});
  const near = didYouMean(name, siblings);
  if (near !== null) return `${start}. Did you mean "${near}"?`;
  const elsewhere = placesOf(name, schema);
  if (elsewhere !== null) return `${start}: it belongs at "${elsewhere}"`;
  return `${start}; known here: ${siblings.join(', ')}`;
}

function nodeAt(schema: SchemaNode, path: Violation['path']): SchemaNode | undefined {
  let node: SchemaNode | undefined = schema;
  for (const step of path) {
    node = /^[0-9]+$/.test(String(step)) ? node?.items : node?.properties?.[String(step)];
  }
  return node;
}

/** Where a field of that very name lives, when it lives somewhere else. */
function placesOf(name: string, node: SchemaNode, prefix = ''): string | null {
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    if (key === name) return prefix + key;
    const below = placesOf(name, child, `${prefix}${key}.`);
    if (below !== null) return below;
  }
  return null;
}
