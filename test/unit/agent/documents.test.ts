import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { discoverAgents, lintAgent, loadAgent } from '../../../core/agent/index.ts';
import { inlineHelpers } from '../../../core/agent/template/helpers.ts';
import { folderWith, problemsOf } from './agent-folder.ts';

const root = join(import.meta.dirname, '../../..');
const document = readFileSync(join(root, 'docs/guides/agents.md'), 'utf8');

interface Node {
  readonly properties?: { readonly [name: string]: Node };
  readonly items?: Node;
  readonly $ref?: string;
  readonly description?: string;
}

const schema = JSON.parse(readFileSync(join(root, 'schema/agent.schema.json'), 'utf8')) as Node;

/** Every field by its dotted path, with its node; a list of mappings counts as its mapping. */
function fieldsOf(node: Node, prefix = ''): [string, Node][] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const path = prefix + name;
    const below = fieldsOf({ ...child.items, ...child }, `${path}.`);
    return [[path, child] as [string, Node], ...below, ...fieldsOf(child.items ?? {}, `${path}.`)];
  });
}

/** What a section's tables have in backquotes in their first column. */
function firstColumn(heading: string): string[] {
  const section = document.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const cells = section.split('\n').filter((line) => line.startsWith('| `'));
  return cells.flatMap((line) => (line.split(' | ')[0] ?? '').match(/`[^`]+`/g) ?? []);
}

const unquoted = (cells: readonly string[]): string[] => cells.map((cell) => cell.slice(1, -1));

describe('docs/guides/agents.md', () => {
  test('has a row for every field of the schema, and no other', () => {
    const fields = new Map(fieldsOf(schema));
    // A mapping's own row is only needed where it can also be written as something else.
    const leaves = [...fields].filter(
      ([path]) =>
        path === 'model' || ![...fields.keys()].some((other) => other.startsWith(`${path}.`)),
    );
    expect(unquoted(firstColumn('Fields')).sort()).toEqual(leaves.map(([path]) => path).sort());
  });

  test('has a row for every helper and variable, and no other', () => {
    const rows = unquoted(firstColumn('Templates')).map((call) => call.split(' ')[0] ?? '');
    const variables = ['input', 'job', 'agent', 'now', 'output'];
    expect(rows.sort()).toEqual([...variables, ...Object.keys(inlineHelpers)].sort());
  });

  test('shows an agent that loads', async () => {
    const [, example = ''] =
      /```yaml\n# agents\/haiku\/agent\.yaml\n([\s\S]*?)```/.exec(document) ?? [];
    const text = example.replace('haiku', 'probe');
    expect(parse(text)).toHaveProperty('instructions');
    expect(await problemsOf(text)).toEqual([]);
  });
});

test('every field of the schema says what it is for', () => {
  const silent = fieldsOf(schema).filter(([, { description }]) => (description ?? '').length < 5);
  expect(silent.map(([path]) => path)).toEqual([]);
});

test('every shipped agent lints clean and names neither a model nor a temperature', async () => {
  const { agents, broken } = await discoverAgents([]);
  expect(broken).toEqual([]);
  expect(agents.length).toBeGreaterThan(0);
  for (const agent of agents) {
    expect(await lintAgent(agent), agent.name).toEqual([]);
    expect(agent.model.id).toBe(null);
    expect(agent.model.options.temperature).toBeUndefined();
  }
});

test('a folder with an agent.yaml works at once, with no other change', async () => {
  const manifest = ['description: New', 'instructions: Do', ''].join('\n');
  const paths = [folderWith({ 'brand-new/agent.yaml': manifest })];
  expect((await discoverAgents(paths)).agents.map(({ name }) => name)).toContain('brand-new');
  expect((await loadAgent('brand-new', paths)).input.primary).toBe('text');
});
