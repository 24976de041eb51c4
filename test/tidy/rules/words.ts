/** Counts words in identifiers and comments; texts are left out. */

import type { Sources } from './repository.ts';
import { readSourceText } from './source-text.ts';

/** By folder, then by the first form of the word. */
export type Counts = Record<string, Record<string, number>>;

/** The first two folders of a path below `core/broker/`, else the first. */
function folderOf(path: string): string {
  return /^core\/(?:broker\/[^/]+|[^/]+)(?=\/)/.exec(path)?.[0] ?? path;
}

/** Identifiers by their parts, and comments; strings are left out. */
function wordsOf(source: string): string[] {
  const { code, bare } = readSourceText(source);
  // Comments are what is blank in the code and not in the source; lengths are equal.
  const comments = source.replaceAll(/\S/g, (char, index: number) =>
    char === code[index] ? ' ' : char,
  );
  const text = `${bare}\n${comments}`.replaceAll(/([a-z\d])([A-Z])/g, '$1 $2');
  return text.toLowerCase().match(/[a-z]+/g) ?? [];
}

/** @param retired the words; each by its forms, of which the first names it */
export function countRetired(sources: Sources, retired: readonly (readonly string[])[]): Counts {
  const firstForm = new Map(retired.flatMap((forms) => forms.map((form) => [form, forms[0]])));
  const counts: Counts = {};
  for (const [path, source] of sources) {
    for (const word of wordsOf(source)) {
      const form = firstForm.get(word);
      if (form === undefined) continue;
      const folder = (counts[folderOf(path)] ??= {});
      folder[form] = (folder[form] ?? 0) + 1;
    }
  }
  return counts;
}
