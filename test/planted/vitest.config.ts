/** The tests of the repository, run on sources with the bug that AIQ_PLANTED names. */

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { chosenBug, withBug } from './planting.ts';

const bug = chosenBug();

export default defineConfig({
  root: fileURLToPath(new URL('../../', import.meta.url)),
  plugins:
    bug === null
      ? []
      : [
          {
            name: 'planted-bug',
            enforce: 'pre',
            transform: (code, id) => withBug(bug, id.split('?')[0] ?? id, code),
          },
        ],
  test: {
    include: ['test/**/*.test.ts'],
    // It would hand one bug's sources to the run of another: its key knows no more than a plugin's name.
    fsModuleCache: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
