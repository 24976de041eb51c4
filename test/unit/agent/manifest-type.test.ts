/** The type of `agent.yaml` is derived from its JSON Schema; `vitest -u` writes it again. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');

interface Node {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly items?: Node;
  readonly properties?: { readonly [name: string]: Node };
  readonly required?: readonly string[];
  readonly definitions?: { readonly [name: string]: Node };
}

const schema = JSON.parse(readFileSync(join(root, 'schema/agent.schema.json'), 'utf8')) as Node;

const head = `/**
 * Derived from \`schema/agent.schema.json\`; after a change of it, write this file again with
 * \`npx vitest run test/unit/agent/manifest-type.test.ts -u\`.
 */

export type JsonObject = { [key: string]: unknown };
`;

/** An interface for the object, and for each object below it. */
function interfaces(name: string, node: Node): string[] {
  const below: string[] = [];
  const fields = Object.entries(node.properties ?? {}).map(([key, child]) => {
    const isGiven = (node.required ?? []).includes(key) || child.default !== undefined;
    const typeName = (name === 'Manifest' ? '' : name) + key[0]?.toUpperCase() + key.slice(1);
    return `  readonly ${key}${isGiven ? '' : '?'}: ${typeOf(child, typeName, below)};\n`;
  });
  return [`export interface ${name} {\n${fields.join('')}}\n`, ...below];
}

function typeOf(node: Node, name: string, below: string[]): string {
  if (node.enum !== undefined) return node.enum.map((value) => `'${value}'`).join(' | ');
  const defined = node.$ref?.replace('#/definitions/', '');
  if (defined !== undefined) {
    const typeName = defined[0]?.toUpperCase() + defined.slice(1);
    return typeOf(schema.definitions?.[defined] ?? {}, typeName, below);
  }
  const types = [node.type ?? []].flat().map((type) => {
    if (type === 'integer') return 'number';
    if (type === 'array') return `readonly ${typeOf(node.items ?? {}, name, below)}[]`;
    if (type !== 'object') return type;
    if (node.properties === undefined) return 'JsonObject';
    below.push(...interfaces(name, node));
    return name;
  });
  return types.join(' | ');
}

test('the type of the manifest is that of its schema', async () => {
  const text = [head, ...new Set(interfaces('Manifest', schema))].join('\n');
  await expect(text).toMatchFileSnapshot(join(root, 'core/agent/manifest/manifest-type.ts'));
});
