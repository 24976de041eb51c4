/** Every fault of a server, and what becomes of a job that meets it: a table without a bad row. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type Fault, faults } from '../../support/faults/index.ts';
import { type FaultRun, runIntoFault } from '../../support/servers/fault-run.ts';
import { faultServer } from '../../support/servers/fault-server.ts';

const server = await faultServer(faults);
const root = await mkdtemp(join(tmpdir(), 'aiq-faults-'));
const rows: string[][] = [];

afterAll(async () => {
  await server.close();
  await rm(root, { recursive: true });
  if (process.env['AIQ_FAULT_TABLE'] !== undefined) process.stdout.write(tableOf(rows));
});

test('has no two faults of one name', () => {
  expect(new Set(faults.map(({ name }) => name)).size).toBe(faults.length);
});

// Side by side, for most of them wait: but not so many that a busy machine makes them late.
test.concurrent.each(faults)('$group: $name', async (fault) => {
  const dir = join(root, String(faults.indexOf(fault)));
  const { name } = fault;
  const run = await runIntoFault(fault, server.provider, dir);
  const calls = server.calls(name);
  const problems = problemsOf(fault, run, calls);
  const verdict = problems.length > 0 ? 'BAD' : 'good';
  rows.push([fault.group, name, run.end, String(calls), String(run.usage.calls), verdict]);
  expect(problems, run.message).toEqual([]);
});

function problemsOf(fault: Fault, run: FaultRun, calls: number): string[] {
  const { result, usage = {} } = fault;
  const content = fault.agent === 'json' ? JSON.parse(run.content ?? 'null') : run.content;
  return [
    ...(run.end === fault.end ? [] : [`ends as ${run.end}, not ${fault.end}`]),
    ...(madeOf(fault, run, calls) === fault.calls
      ? []
      : [`takes ${calls} calls, not ${fault.calls}`]),
    ...(result === undefined || isSame(content, result)
      ? []
      : [`makes ${JSON.stringify(content)}, not ${JSON.stringify(result)}`]),
    ...(calls <= run.holds ? [] : [`holds money for ${run.holds} of ${calls} calls`]),
    ...(run.openHolds.length === 0 ? [] : ['has calls that are not charged once']),
    ...Object.entries(usage)
      .filter(([field, value]) => !isSame(run.usage[field as keyof FaultRun['usage']], value))
      .map(([field, value]) => `${field} is not ${String(value)}: ${JSON.stringify(run.usage)}`),
  ];
}

/** What is broken off for its time may not have reached the server; more must not. */
function madeOf({ timeoutMs, calls }: Fault, run: FaultRun, seen: number): number {
  return timeoutMs === undefined || seen > calls ? seen : run.usage.calls;
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function tableOf(found: readonly string[][]): string {
  const order = new Map(faults.map(({ name }, index) => [name, index]));
  const sorted = found.toSorted(
    ([, a = ''], [, b = '']) => (order.get(a) ?? 0) - (order.get(b) ?? 0),
  );
  const heading = ['group', 'fault', 'end', 'calls', 'paid', 'verdict'];
  const widths = heading.map((title, column) =>
    Math.max(title.length, ...sorted.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  const counts = Object.entries(Object.groupBy(found, ([, , , , , verdict = '']) => verdict));
  const sum = counts.map(([verdict, list]) => `${list?.length} ${verdict}`).join(', ');
  return `\n${[heading, ...sorted].map(line).join('\n')}\n\n${found.length} faults: ${sum}\n`;
}
