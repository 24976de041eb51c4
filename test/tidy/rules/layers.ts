/**
 * Holds the import table of `docs/internals/architecture.md` against sources. Pure: it gets the table and the
 * sources, and answers with sentences about what breaks it.
 */

import { type Import, importsOf, packageOf, resolveImport } from './imports.ts';
import { section, tableRows } from './markdown.ts';
import type { Sources } from './repository.ts';
import { readSourceText } from './source-text.ts';

export interface Layer {
  /** `core/broker/`, or a single file such as `core/index.ts`. */
  readonly folder: string;
  /** Layers that it may import, each fully or for types only. */
  readonly mayImport: ReadonlyMap<string, 'value' | 'type'>;
  readonly packages: ReadonlySet<string>;
  readonly builtIns: boolean;
}

/** A folder inside a layer, with what it must not know. */
export interface Part {
  readonly folder: string;
  /** Folders, or `node:`. */
  readonly neverImports: readonly string[];
  /** Names that must not appear in its code. */
  readonly neverUses: readonly string[];
}

const layerNames = (cell: string): string[] => (cell === '–' ? [] : cell.split(/,\s*/));

/** Reads `| folder | duty | may import | npm packages | node: |`. */
export function readLayers(markdown: string): Layer[] {
  const rows = tableRows(section(markdown, '## Folders and who may import whom'));
  return rows
    .filter((row) => row.length === 5)
    .map((row) => {
      const [folder = '', , imports = '', packages = '', builtIns = ''] = row;
      if (!['yes', 'no'].includes(builtIns)) throw new Error(`${folder}: node: is "${builtIns}"`);
      return {
        folder,
        mayImport: new Map(
          layerNames(imports).map((name) => [
            `core/${name.replace(/ \(types\)$/, '')}/`,
            name.endsWith(' (types)') ? 'type' : 'value',
          ]),
        ),
        packages: new Set(layerNames(packages)),
        builtIns: builtIns === 'yes',
      };
    });
}

/** Reads `| part | never imports | never uses |`. */
export function readParts(markdown: string): Part[] {
  return tableRows(section(markdown, '### Inside the broker')).map(
    ([folder = '', imports = '', uses = '']) => ({
      folder,
      neverImports: layerNames(imports),
      neverUses: layerNames(uses),
    }),
  );
}

const layerOf = (path: string, layers: readonly Layer[]): Layer | undefined =>
  layers.find(({ folder }) => path === folder || (folder.endsWith('/') && path.startsWith(folder)));

/** What in the sources the table forbids, one sentence each. */
export function layerProblems(sources: Sources, layers: readonly Layer[]): string[] {
  const problems: string[] = [];
  for (const [path, source] of sources) {
    const layer = layerOf(path, layers);
    if (layer === undefined) {
      problems.push(`${path}: its folder has no row in the import table`);
      continue;
    }
    for (const one of importsOf(source)) {
      const problem = importProblem({ path, layer, one, sources, layers });
      if (problem !== null) problems.push(`${path}: ${problem}`);
    }
  }
  return problems;
}

interface Question {
  readonly path: string;
  readonly layer: Layer;
  readonly one: Import;
  readonly sources: Sources;
  readonly layers: readonly Layer[];
}

function importProblem({ path, layer, one, sources, layers }: Question): string | null {
  const { kind, specifier } = one;
  if (kind === 'computed') return null;
  const target = resolveImport(path, specifier);
  if (target === null) return outsideProblem(layer, specifier);
  if (!sources.has(target)) return `imports ${target}, which is no source of core`;
  const other = layerOf(target, layers);
  if (other === layer) {
    return target === `${layer.folder}index.ts` ? 'imports the index.ts of its own layer' : null;
  }
  if (other === undefined) return `imports ${target}, whose folder has no row in the import table`;
  // Another process is not an import: the two meet through the protocol.
  if (kind === 'entry' && target === `${other.folder}main.ts`) return null;
  const allowed = layer.mayImport.get(other.folder);
  if (allowed === undefined) return `must not import ${other.folder} (${specifier})`;
  if (allowed === 'type' && kind !== 'type') return `may import only types from ${other.folder}`;
  const door = `${other.folder}index.ts`;
  return target === door ? null : `imports ${target} past its door ${door}`;
}

function outsideProblem(layer: Layer, specifier: string): string | null {
  if (specifier.startsWith('node:')) {
    return layer.builtIns ? null : `must not import built-ins (${specifier})`;
  }
  const name = packageOf(specifier);
  return layer.packages.has(name) ? null : `must not import the package ${name}`;
}

/** What the parts of a layer know that they must not. */
export function partProblems(sources: Sources, parts: readonly Part[]): string[] {
  return parts.flatMap((part) =>
    [...sources]
      .filter(([path]) => path.startsWith(part.folder))
      .flatMap(([path, source]) => [
        ...importsOf(source)
          .filter(({ specifier }) => {
            const target = resolveImport(path, specifier) ?? specifier;
            return part.neverImports.some((prefix) => target.startsWith(prefix));
          })
          .map(({ specifier }) => `${path}: must not import ${specifier}`),
        ...usedNames(source, part.neverUses).map((name) => `${path}: must not use ${name}`),
      ]),
  );
}

/** Which of the names occur in the code, not as a property, a key, a comment or text. */
function usedNames(source: string, names: readonly string[]): string[] {
  const { bare } = readSourceText(source);
  return names.filter((name) =>
    new RegExp(`(?<![\\w.$])${name.replaceAll('.', '\\.')}(?![\\w$]|\\??:)`).test(bare),
  );
}

/**
 * Files that load each other, as `a → b → a`.
 * @param kinds `type` counts imports that are erased as well: circles of knowledge, not of loading
 */
export function importCycles(
  sources: Sources,
  kinds: readonly Import['kind'][] = ['value'],
): string[] {
  const graph = new Map<string, string[]>();
  for (const [path, source] of sources) {
    const targets = importsOf(source)
      .filter(({ kind }) => kinds.includes(kind))
      .map(({ specifier }) => resolveImport(path, specifier))
      .filter((target) => target !== null);
    graph.set(path, targets);
  }
  return cyclesIn(graph);
}

/** Rows of the table that allow each other, types included. */
export function tableCycles(layers: readonly Layer[]): string[] {
  return cyclesIn(new Map(layers.map(({ folder, mayImport }) => [folder, [...mayImport.keys()]])));
}

function cyclesIn(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (node: string, trail: readonly string[]): void => {
    const start = trail.indexOf(node);
    if (start !== -1) cycles.push([...trail.slice(start), node].join(' → '));
    if (start !== -1 || done.has(node)) return;
    for (const next of graph.get(node) ?? []) visit(next, [...trail, node]);
    done.add(node);
  };
  for (const node of graph.keys()) visit(node, []);
  return cycles;
}
