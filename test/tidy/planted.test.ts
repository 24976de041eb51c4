/** Every planted bug still has its place in the sources: whoever changes a line finds out at once. */

import { expect, test } from 'vitest';
import { plantedBugs } from '../planted/bugs.ts';
import { withBug } from '../planted/planting.ts';
import { readText, root } from './repository.ts';

test.each(plantedBugs.map((bug) => [bug.name, bug] as const))(
  'the place of %s is there once',
  (_, bug) => {
    for (const { file } of bug.edits) {
      const source = readText(file);
      expect(withBug(bug, `${root}${file}`, source)).not.toBe(source);
    }
  },
);
