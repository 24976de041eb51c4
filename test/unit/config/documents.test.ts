import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { environmentName, settingPaths } from '../../../core/config/index.ts';
import { folderWith, load } from './config-folder.ts';

const root = join(import.meta.dirname, '../../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Node {
  readonly properties?: { readonly [name: string]: Node };
  readonly default?: unknown;
}

const schema = JSON.parse(read('schema/config.schema.json')) as Node & { $schema?: string };

describe('schema/config.schema.json', () => {
  test('has exactly the settings that are read', () => {
    const leaves = Object.entries(schema.properties ?? {}).flatMap(([name, node]) =>
      node.properties === undefined
        ? [name]
        : Object.keys(node.properties).map((child) => `${name}.${child}`),
    );
    expect(leaves.sort()).toEqual(
      [...settingPaths, '$schema', 'providers', 'budgets', 'prices'].sort(),
    );
  });

  test('names the defaults that hold', () => {
    const defaults: string[] = [];
    for (const [name, node] of Object.entries(schema.properties ?? {})) {
      if (node.default !== undefined) defaults.push(`${name}: ${JSON.stringify(node.default)}`);
      const below = Object.entries(node.properties ?? {}).filter(
        ([, { default: d }]) => d !== undefined,
      );
      if (below.length === 0) continue;
      defaults.push(
        `${name}:`,
        ...below.map(([key, child]) => `  ${key}: ${JSON.stringify(child.default)}`),
      );
    }
    const written = folderWith({ 'aiq.config.yaml': defaults.join('\n') });
    expect({ ...load(written), file: null, baseDir: '' }).toEqual(
      JSON.parse(
        JSON.stringify({ ...load(folderWith({})), file: null, baseDir: '' }).replaceAll(
          /\/[^"]*aiq-config-\w+/g,
          written,
        ),
      ),
    );
  });
});

describe('aiq.config.yaml', () => {
  const text = read('aiq.config.yaml');

  test('changes nothing: it holds the defaults', () => {
    const base = folderWith({ 'aiq.config.yaml': text });
    const bare = folderWith({});
    const withFile = JSON.stringify({ ...load(base), file: null }).replaceAll(base, '/x');
    expect(JSON.parse(withFile)).toEqual(
      JSON.parse(JSON.stringify(load(bare)).replaceAll(bare, '/x')),
    );
  });

  test('shows every setting, and all its examples can be used', () => {
    const uncommented = text.replaceAll(
      /^( *)# ?((?! *yaml-language) *[a-zA-Z-]+: ?(?:\S.*)?)$/gm,
      '$1$2',
    );
    const config = load(folderWith({ 'aiq.config.yaml': uncommented, '.env': 'MY_API_KEY=k' }));
    expect(config.providers['mine']?.apiKey).toBe('k');
    const value = parse(uncommented) as { [name: string]: { [name: string]: unknown } };
    for (const path of [...settingPaths, 'providers', 'budgets', 'prices']) {
      const [first = '', second] = path.split('.');
      expect(second === undefined ? value[first] : value[first]?.[second], path).toBeDefined();
    }
    const { $schema: _, ...standalone } = schema;
    const validate = new Ajv2020({ allowUnionTypes: true, strict: true }).compile(standalone);
    expect(validate(value), JSON.stringify(validate.errors)).toBe(true);
  });
});

test('names of variables are mechanical', () => {
  expect(settingPaths.map(environmentName)).toEqual(
    expect.arrayContaining(['AIQ_MODEL', 'AIQ_BROKER_TOKEN_FILE', 'AIQ_LIMITS_INPUT_BYTES_MAX']),
  );
});
