/** Holds `docs/internals/path-of-a-job.md` against one traced job of a real broker. */

import { expect, test } from 'vitest';
import { type Step, traceJob } from '../measure/trace-job.ts';
import { section, tableRows } from '../tidy/rules/markdown.ts';
import { readText, root } from '../tidy/rules/repository.ts';

const document = readText('docs/internals/path-of-a-job.md');
const headings = { enqueue: '## Enqueue', delivery: '## Delivery', settle: '## Settle' } as const;

test('docs/internals/path-of-a-job.md names files that a traced job runs through, in the thread that it says', async () => {
  const trace = await traceJob(root, 2);
  for (const [step, heading] of Object.entries(headings) as [Step, string][]) {
    const ran = new Set(
      trace[step].flatMap(({ file, threads }) => threads.map((thread) => `${thread} core/${file}`)),
    );
    const named = tableRows(section(document, heading)).map(
      ([thread = '', file = '']) => `${thread === 'I/O' ? 'io' : thread} ${file}`,
    );
    expect(named.length).toBeGreaterThan(4);
    expect([step, ...named.filter((one) => !ran.has(one))]).toEqual([step]);
  }
});
