import { defineConfig } from 'vitest/config';
import { patienceMs, testMs } from './test/support/patience.ts';

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
