/** Many inputs: all are checked before the first is sent, and only a bounded part of them is ever held. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadAgent } from '../../../../../core/agent/index.ts';
import { enqueueInputs } from '../../../../../core/cli/commands/enqueue/enqueue-inputs.ts';
import type { Submission } from '../../../../../core/cli/commands/enqueue/submit.ts';
import type { Session } from '../../../../../core/cli/session.ts';
import type { Job, JobQueue } from '../../../../../core/job-queue/index.ts';

let dir: string;
let batches: Job[][];
let warnings: string[];
/** Called with the number of a batch before it is answered. */
let onBatch: (batch: number) => void;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aiq-inputs-'));
  batches = [];
  warnings = [];
  onBatch = () => undefined;
});

afterEach(() => rmSync(dir, { recursive: true }));

const kib = 1024;

/** Texts of a size, each another; together they may be too large to be kept. */
function writeTexts(count: number, bytes: number): void {
  for (let at = 0; at < count; at++) {
    const name = String(at).padStart(4, '0');
    writeFileSync(join(dir, `${name}.md`), `${name} ${'x'.repeat(bytes)}`);
  }
}

async function enqueueAll(): Promise<Submission> {
  const queue = {
    enqueue: async (jobs: readonly Job[]) => {
      onBatch(batches.push([...jobs]));
      return jobs.map(({ id }) => ({ id, outcome: 'created' as const, state: 'ready' as const }));
    },
    inspect: async () => [],
  } as unknown as JobQueue;
  const session = {
    terminal: { result: () => undefined, warn: (line: string) => warnings.push(line) },
    config: async () => ({ limits: { inputBytesMax: 1024 * kib } }),
    queue: async () => queue,
  } as unknown as Session;
  const agent = await loadAgent('summarize', []);
  return enqueueInputs(
    session,
    agent,
    { agent, flags: [] },
    {
      inputs: [join(dir, '*.md')],
      yes: true,
      openBatch: async () => '1',
      spec: { identity: 'content', terms: {}, madeIn: { host: 'here', dir } },
    },
  );
}

function sentNames(): string[] {
  return batches.flat().map(({ source }) => source);
}

test('all are sent in their order, in batches bounded by bytes', async () => {
  writeTexts(60, 400 * kib);
  const submission = await enqueueAll();
  expect(submission).toMatchObject({ accepted: 60, created: 60, waiting: 60, refused: 0 });
  expect(sentNames()).toEqual(Array.from({ length: 60 }, (_, at) => String(at).padStart(4, '0')));
  for (const batch of batches) expect(batch.length).toBeLessThanOrEqual(11);
});

test('and bounded by their number', async () => {
  writeTexts(600, 1);
  await enqueueAll();
  expect(batches.map((batch) => batch.length)).toEqual([250, 250, 100]);
});

test('a bad one behind megabytes of good ones is found before the first is sent', async () => {
  writeTexts(60, 400 * kib);
  writeFileSync(join(dir, 'zz.md'), ' ');
  await expect(enqueueAll()).rejects.toThrow('zz.md is empty');
  expect(batches).toEqual([]);
});

test('of many that cannot be read the first are named, and the others counted', async () => {
  for (let at = 100; at < 160; at++) writeFileSync(join(dir, `${at}.md`), ' ');
  await expect(enqueueAll()).rejects.toMatchObject({
    message: '60 of 60 inputs cannot be read; nothing was queued',
    details: expect.arrayContaining([expect.stringContaining('149.md is empty'), 'and 10 more']),
  });
});

test('one that changes while others are sent is left out, and said so', async () => {
  writeTexts(60, 400 * kib);
  onBatch = (batch) => {
    if (batch === 1) writeFileSync(join(dir, '0059.md'), 'another text');
    if (batch === 1) rmSync(join(dir, '0058.md'));
  };
  const submission = await enqueueAll();
  expect(submission).toMatchObject({ accepted: 58, refused: 2, refusal: 'invalid' });
  expect(sentNames()).not.toContain('0059');
  expect(warnings).toEqual([
    expect.stringContaining('0058.md'),
    expect.stringMatching(/0059\.md was changed while it was checked: not queued/),
  ]);
});

test('of small ones, too, a bounded number is kept: the others are read again', async () => {
  writeTexts(1_200, 1);
  onBatch = (batch) => {
    if (batch === 1) writeTexts(1_200, 2);
  };
  expect(await enqueueAll()).toMatchObject({ accepted: 1_000, refused: 200 });
});
