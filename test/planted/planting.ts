/** Changes the text of sources as a planted bug asks; the files themselves stay as they are. */

import { fileURLToPath } from 'node:url';
import { readSourceText } from '../tidy/rules/source-text.ts';
import type { Edit, PlantedBug } from './bug.ts';
import { plantedBugs } from './bugs.ts';
import { declarationsOf, type Span } from './declarations.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * The bug that the environment names, or null.
 * @throws Error when there is no such bug
 */
export function chosenBug(): PlantedBug | null {
  const name = process.env['AIQ_PLANTED'] ?? '';
  if (name === '') return null;
  const bug = plantedBugs.find((each) => each.name === name);
  if (bug === undefined) throw new Error(`there is no planted bug ${JSON.stringify(name)}`);
  return bug;
}

/** The files that a bug changes, relative to the root. */
export function filesOf({ edits }: PlantedBug): string[] {
  return [...new Set(edits.map((edit) => placeOf(edit).file))];
}

/**
 * The source of a file with the bug in it; null when the bug lies elsewhere.
 * @throws Error when the place of the bug is not found exactly once: the source has changed
 */
export function withBug(bug: PlantedBug, path: string, source: string): string | null {
  const edits = bug.edits.filter((edit) => path === `${root}${placeOf(edit).file}`);
  if (edits.length === 0) return null;
  return edits.reduce((changed, edit) => withEdit(bug.name, edit, changed), source);
}

function placeOf(edit: Edit): { readonly file: string; readonly name: string } {
  const [, file = '', name = ''] = /^(.+?)#(.+)$/.exec(edit.in) ?? [];
  return { file, name };
}

function withEdit(bug: string, edit: Edit, source: string): string {
  const { file, name } = placeOf(edit);
  const declared = onlyOne(declarationsOf(source, name), `${file} declares ${name}`);
  const fragment = `${name} of ${file} has ${JSON.stringify(edit.find)}`;
  const { start, end } = onlyOne(fragmentsIn(source, declared, edit.find), fragment);
  return source.slice(0, start) + edit.replace + source.slice(end);

  function onlyOne(found: readonly Span[], what: string): Span {
    const [first] = found;
    if (first !== undefined && found.length === 1) return first;
    throw new Error(
      `planted bug ${bug}: ${what} ${found.length} times, not once. The source has changed: bring ` +
        'test/planted/bugs up to date.',
    );
  }
}

/** Where a fragment stands in a part of a source, but for what the formatter decides. */
function fragmentsIn(source: string, { start, end }: Span, fragment: string): Span[] {
  const wanted = squeezed(fragment).text;
  const { text, positions } = squeezed(readSourceText(source).code.slice(start, end));
  const found: Span[] = [];
  for (let at = text.indexOf(wanted); at !== -1; at = text.indexOf(wanted, at + 1)) {
    const last = positions[at + wanted.length - 1] ?? 0;
    found.push({ start: start + (positions[at] ?? 0), end: start + last + 1 });
  }
  return found;
}

/** A text without white space, and without commas that a line break puts before a bracket. */
function squeezed(text: string): { readonly text: string; readonly positions: readonly number[] } {
  const kept = [...text.matchAll(/(?!,\s*[)\]}])\S/g)];
  return { text: kept.join(''), positions: kept.map(({ index }) => index) };
}
