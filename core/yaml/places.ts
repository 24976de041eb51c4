/** Where everything in a YAML document is written: plain data, so that it can be kept with the value. */

import type * as Yaml from 'yaml';

/** A place inside a document: keys and indexes from the root. */
export type YamlPath = readonly (string | number)[];

/** Lines and columns from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Where the text of a string begins; `indent` is what the file has in front of each line. */
export interface TextPlace {
  readonly line: number;
  readonly indent: number;
}

/** The places of one value and of all that is in it. */
export interface Places {
  readonly value: Place;
  readonly text: TextPlace;
  /** Of a member of a mapping. */
  readonly key?: Place;
  readonly members?: { readonly [key: string]: Places };
}

/** The places of the value at a path; of the nearest existing parent when there is none. */
export function placesAt(root: Places, path: YamlPath): Places {
  let found = root;
  for (const step of path) {
    const { members = {} } = found;
    const next = Object.hasOwn(members, step) ? members[step] : undefined;
    // The place of a parent is good for what is missing in it; its key's is not.
    if (next === undefined) return { value: found.value, text: found.text };
    found = next;
  }
  return found;
}

/** What finds lines and columns in a text. */
export interface PlaceFinder {
  readonly yaml: typeof Yaml;
  readonly document: Yaml.Document;
  readonly text: string;
  readonly lines: Yaml.LineCounter;
}

/** The places of a document that is known to be sound. */
export function placesOf(finder: PlaceFinder): Places {
  return placesIn(finder, finder.document.contents as Yaml.Node);
}

function placesIn(finder: PlaceFinder, node: Yaml.Node): Places {
  const { yaml, document } = finder;
  const own = { value: placeOf(finder, node), text: textPlace(finder, node) };
  const real: unknown = yaml.isAlias(node) ? node.resolve(document) : node;
  if (yaml.isMap(real)) {
    const members = real.items.map(({ key, value }) => {
      const keyNode = key as Yaml.Scalar;
      const member = placesIn(finder, (value ?? keyNode) as Yaml.Node);
      return [String(keyNode.value), { ...member, key: placeOf(finder, keyNode) }] as const;
    });
    return { ...own, members: Object.fromEntries(members) };
  }
  if (!yaml.isSeq(real)) return own;
  const members = real.items.map((item, index) => [index, placesIn(finder, item as Yaml.Node)]);
  return { ...own, members: Object.fromEntries(members) as { [key: string]: Places } };
}

export function placeOf({ lines }: PlaceFinder, node: Yaml.Node): Place {
  return placeAt(lines, node.range?.[0] ?? 0);
}

export function placeAt(lines: Yaml.LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** A block scalar's text begins on the line after its header; a flow scalar's where it begins. */
function textPlace(finder: PlaceFinder, node: Yaml.Node): TextPlace {
  const { yaml, text } = finder;
  const { line, column } = placeOf(finder, node);
  const type = yaml.isScalar(node) ? node.type : undefined;
  if (type !== 'BLOCK_LITERAL' && type !== 'BLOCK_FOLDED') {
    return { line, indent: column - 1 + (type === 'PLAIN' ? 0 : 1) };
  }
  const header = text.indexOf('\n', node.range?.[0] ?? 0) + 1;
  const firstText = /^(?: *\r?\n)*( *)/.exec(text.slice(header, header + 4096));
  return { line: line + 1, indent: firstText?.[1]?.length ?? 0 };
}
