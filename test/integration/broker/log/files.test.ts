/** The log on a real disk: whole lives with several segments, and processes that are killed. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Log, RecoveryReport } from '../../../../core/broker/log/contract.ts';
import { openLog } from '../../../../core/broker/log/open.ts';
import { appenderSegmentBytesMax, recordAt } from '../../../support/log/log-appender.ts';
import { keepAll, seededRandom } from '../../../support/log/log-harness.ts';

const appender = fileURLToPath(new URL('../../../support/log/log-appender.ts', import.meta.url));
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aiq-log-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true });
});

async function openHere(): Promise<{ log: Log; report: RecoveryReport; records: string[] }> {
  const records: string[] = [];
  const { log, report } = await openLog(
    {
      dir,
      segmentBytesMax: appenderSegmentBytesMax,
      summarize: keepAll,
      onDurable: () => undefined,
      onProblem: () => undefined,
      onFailure: (error) => {
        throw error;
      },
    },
    {
      begin: () => undefined,
      record: (record) => records.push(Buffer.from(record).toString()),
    },
  );
  return { log, report, records };
}

function appendUpTo(log: Log, offset: number): void {
  while (log.endOffset < offset) log.append(Buffer.from(recordAt(log.endOffset + 1)));
}

test('several lives with many segments keep every record', async () => {
  for (const end of [0, 300, 301, 900]) {
    const { log, report, records } = await openHere();
    expect(report.clean).toBe(true);
    expect(records.length).toBe(log.endOffset);
    appendUpTo(log, end);
    await log.close();
    expect(log.durableOffset).toBe(end);
  }
  const { log, report, records } = await openHere();
  expect(records).toEqual(Array.from({ length: 900 }, (_, index) => recordAt(index + 1)));
  const names = (await readdir(dir)).filter((name) => name.endsWith('.log')).sort();
  expect(names.length).toBeGreaterThan(4);
  expect(names.at(-1)).toBe(`${String(names.length).padStart(10, '0')}.log`);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(dir, name))).size));
  expect(report.segments).toBe(names.length);
  expect(log.bytes).toBe(sizes.reduce((sum, size) => sum + size, 0));
  await log.close();
});

test('a torn tail is found again in the quarantine folder', async () => {
  const first = await openHere();
  appendUpTo(first.log, 5);
  await first.log.close();
  const path = join(dir, '0000000001.log');
  const whole = await readFile(path);
  // The clean mark and part of the only batch are lost, and nothing proves that they were there.
  await truncate(path, whole.length - 68 - 100);
  await rm(join(dir, 'proven'));
  const { log, report, records } = await openHere();
  expect([report.clean, records]).toEqual([false, []]);
  const torn = report.tornTail!;
  expect(torn.atByte + torn.bytes).toBe(whole.length - 168);
  expect(await readFile(torn.keptAs!)).toEqual(whole.subarray(torn.atByte, whole.length - 168));
  appendUpTo(log, 2);
  await log.close();
  const again = await openHere();
  expect(again.records).toEqual([recordAt(1), recordAt(2)]);
  await again.log.close();
});

test('after kill -9 everything reported durable is there, and the log goes on', async () => {
  const random = seededRandom(seed);
  let promised = 0;
  for (let round = 0; round < 6; round++) {
    const life = await appendAndKill(10 + Math.floor(random() * 100));
    expect(life.replayed, `seed ${seed}, round ${round}`).toBeGreaterThanOrEqual(promised);
    expect(life.durable, `seed ${seed}, round ${round}`).toBeGreaterThan(life.replayed);
    promised = life.durable;
  }
  const { log, report, records } = await openHere();
  expect(report.clean).toBe(false);
  // Summaries told of most of them.
  expect(report.summaries).toBeGreaterThan(0);
  expect(report.records).toBeLessThan(records.length);
  expect(records.length).toBeGreaterThanOrEqual(promised);
  expect(records.findIndex((record, index) => record !== recordAt(index + 1))).toBe(-1);
  expect(report.segments).toBeGreaterThan(1);
  await log.close();
});

/** Kills the appender while it works, after so many commits; returns what it said until then. */
async function appendAndKill(commits: number): Promise<{ replayed: number; durable: number }> {
  const child = spawn(process.execPath, [appender, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said: number[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    said.push(Number(line));
    if (said.length === commits) child.kill('SIGKILL');
  });
  await Promise.all([once(child, 'exit'), once(lines, 'close')]);
  expect(child.signalCode, 'the appender ended by itself').toBe('SIGKILL');
  return { replayed: said[0]!, durable: said.at(-1)! };
}
