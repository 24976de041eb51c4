/** Every planted bug still has its place in the sources: whoever changes a line finds out at once. */

import { join } from 'node:path';
import { expect, test } from 'vitest';
import { plantedBugs } from '../planted/bugs.ts';
import { withBug } from '../planted/planting.ts';
import { readText, root } from './rules/repository.ts';

test.each(plantedBugs.map((bug) => [bug.name, bug] as const))(
  'the place of %s is there once',
  (_, bug) => {
    for (const { file } of bug.edits) {
      const source = readText(file);
      const planted = withBug(bug, join(root, file), source);
      expect(planted).not.toBeNull();
      expect(planted).not.toBe(source);
    }
  },
);
