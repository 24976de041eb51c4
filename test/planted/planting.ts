/** Changes the text of sources as a planted bug asks; the files themselves stay as they are. */

import { fileURLToPath } from 'node:url';
import type { PlantedBug } from './bug.ts';
import { plantedBugs } from './bugs.ts';

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

/**
 * The source of a file with the bug in it; null when the bug lies elsewhere.
 * @throws Error when the place of the bug is not found exactly once: the source has changed
 */
export function withBug(bug: PlantedBug, path: string, source: string): string | null {
  const edits = bug.edits.filter(({ file }) => path === `${root}${file}`);
  if (edits.length === 0) return null;
  let changed = source;
  for (const { file, find, replace } of edits) {
    const places = changed.split(find).length - 1;
    if (places !== 1) {
      throw new Error(
        `planted bug ${bug.name}: its place in ${file} is there ${places} times, not once. The ` +
          'source has changed: bring test/planted/bugs.ts up to date.',
      );
    }
    changed = changed.replace(find, () => replace);
  }
  return changed;
}
