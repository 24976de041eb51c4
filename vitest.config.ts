import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { patienceMs, testMs } from './test/support/patience.ts';

/**
 * Threads and processes that tests start find their sources without types in the cache, as those of a
 * command do. Stripping types is WebAssembly, and V8 loses count of its code pages, and ends the process,
 * where threads that use it come and go dozens of times (nodejs/node#64500).
 */
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules/.cache/aiq');

const patience = {
  testTimeout: testMs,
  hookTimeout: testMs,
  expect: { poll: { timeout: patienceMs } },
};

/** Files run beside each other, one for each core; every test has folders, ports and processes of its own. */
export default defineConfig({
  test: {
    // Vitest leaves one core free; most tests wait for processes, so all are put to work.
    maxWorkers: '100%',
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/tidy/**/*.test.ts'],
          sequence: { groupOrder: 0 },
          ...patience,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          sequence: { groupOrder: 1 },
          ...patience,
        },
      },
      {
        test: {
          name: 'end-to-end',
          include: ['test/e2e/**/*.test.ts', 'test/crash/**/*.test.ts'],
          sequence: { groupOrder: 2 },
          ...patience,
        },
      },
    ],
  },
});
