/** The history with its thread: it follows a log, survives what happens to it, and costs search alone. */

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Log } from '../../../../core/broker/log/contract.ts';
import {
  type History,
  type HistoryOptions,
  startHistory,
} from '../../../../core/broker/search/history.ts';
import type { SearchFilter } from '../../../../core/broker/search/search-query.ts';
import {
  encodeRecord,
  type LogRecord,
} from '../../../../core/broker/state-machine/records/records.ts';
import { type DiskLog, openDiskLog } from '../../../support/log/disk-log.ts';
import { patienceMs } from '../../../support/patience.ts';
import {
  delivered,
  enqueued,
  everything,
  idOf,
  leaseEnded,
} from '../../../unit/broker/search/model.ts';

const patience = { timeout: patienceMs };

let dir: string;
let log: Log;
let append: DiskLog['append'];
let notices: string[];
const open = new Set<History>();

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'aiq-history-'));
  ({ log, append } = await openDiskLog(join(dir, 'log')));
  notices = [];
});
afterEach(async () => {
  await Promise.all([...open].map((history) => history.close()));
  open.clear();
  await log.close();
  rmSync(dir, { recursive: true });
});

function start(given: Partial<HistoryOptions> = {}): History {
  const history = startHistory({
    file: join(dir, 'history.db'),
    log,
    logDir: join(dir, 'log'),
    onNotice: (text) => notices.push(text),
    ...given,
    // Long enough for a machine that is busy with other tests.
    limits: { waitMs: 20_000, ...given.limits },
  });
  open.add(history);
  return history;
}

async function stop(history: History): Promise<void> {
  await history.close();
  open.delete(history);
}

/** Sources of the jobs that are found, with all that is durable known. */
async function sources(history: History, filter: Partial<SearchFilter> = {}): Promise<string[]> {
  const answer = await history.search({ ...everything, ...filter }, log.durableOffset);
  return answer.jobs.map(({ source }) => source);
}

const job = (number: number): LogRecord => enqueued(number, { source: `text-${number}` });

test('a search finds what became durable just before it', async () => {
  const history = start();
  for (let number = 1; number <= 30; number++) {
    await append(job(number));
    history.onDurable();
    expect(await sources(history, { limit: 1 })).toEqual([`text-${number}`]);
  }
  expect([history.offset, history.lag]).toEqual([30, 0]);
  expect(notices).toEqual([]);
});

test('what follows arrives without a search', async () => {
  const history = start();
  await append(job(1), job(2));
  history.onDurable();
  await vi.waitFor(() => expect(history.offset).toBe(2), patience);
});

test('after a stop it goes on where it was', async () => {
  await append(job(1), job(2));
  const first = start();
  expect(await sources(first)).toHaveLength(2);
  await stop(first);
  // The file alone is left: closing put everything into it.
  expect(existsSync(join(dir, 'history.db-wal'))).toBe(false);
  await append(delivered(1), leaseEnded(1));
  const second = start();
  expect(await sources(second, { states: ['done'] })).toEqual(['text-1']);
  expect(notices).toEqual([]);
});

test('a search waits for the offset that it asks for, and not where it cannot be reached', async () => {
  await append(job(1));
  const history = start();
  await sources(history);
  history.pause(true);
  await append(job(2));
  history.onDurable();
  const behind = await history.search(everything, 2);
  expect([behind.offset, behind.jobs.length]).toEqual([1, 1]);
  history.pause(false);
  await vi.waitFor(() => expect(history.offset).toBe(2), patience);
  const ahead = await history.search(everything, 2);
  expect([ahead.offset, ahead.jobs.length]).toEqual([2, 2]);
});

test('a wrong search is refused, and the history goes on', async () => {
  await append(job(1));
  const history = start();
  const refusal = history.search({ ...everything, after: 'x' }, 0);
  await expect(refusal).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  expect(await sources(history)).toEqual(['text-1']);
});

test('more searches than may wait are refused', async () => {
  await append(job(1));
  const history = start({ limits: { searchesMax: 2, waitMs: 5_000 } });
  const waiting = [1, 2].map(() => history.search(everything, 1));
  await expect(history.search(everything, 1)).rejects.toMatchObject({
    code: 'QUEUE_FULL',
    message: expect.stringContaining('2 searches are waiting'),
  });
  expect((await Promise.all(waiting)).map(({ jobs }) => jobs.length)).toEqual([1, 1]);
});

test.each([
  ['is no database', () => writeFileSync(join(dir, 'history.db'), 'x'.repeat(9_000))],
  ['is gone', () => rmSync(join(dir, 'history.db'))],
])('a file that %s is made again from the log', async (_what, spoil) => {
  await append(job(1), delivered(1), leaseEnded(1), job(2));
  const first = start();
  await sources(first);
  await stop(first);
  spoil();
  const second = start();
  expect(await sources(second)).toEqual(['text-2', 'text-1']);
});

test('a history that is behind what the log still has is made again', async () => {
  await append(job(1), job(2));
  const first = start();
  await sources(first);
  await stop(first);
  // Job 1 is forgotten in a record that is gone; job 2 was said again.
  await append({ kind: 'forgotten', ids: [idOf(1)] });
  await append(job(2), job(3));
  await log.dropBefore(4);
  const second = start();
  expect(await sources(second)).toEqual(['text-3', 'text-2']);
  expect(notices).toEqual([expect.stringContaining('rebuilt from the log')]);
});

test('a history that compaction overtakes while it runs is made again', async () => {
  await append(job(1));
  const history = start();
  await sources(history);
  await append({ kind: 'forgotten', ids: [idOf(1)] });
  await append(job(2), job(3));
  await log.dropBefore(3);
  expect(await sources(history)).toEqual(['text-3', 'text-2']);
  expect(notices).toEqual([expect.stringContaining('before they were read')]);
});

test('while its file cannot be had searches say so, and it is tried again', async () => {
  const file = join(dir, 'later', 'history.db');
  await append(job(1));
  const history = start({ file, limits: { restartMsMin: 50, restartMsMax: 200 } });
  await vi.waitFor(() => expect(notices.length).toBeGreaterThan(0), patience);
  expect(notices[0]).toMatch(/^history: .*ENOENT.*search is unavailable; next attempt in 1 s$/);
  await expect(history.search(everything, 1)).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringMatching(/search is unavailable: the history failed \(.*ENOENT/),
  });
  mkdirSync(join(dir, 'later'));
  await vi.waitFor(() => expect(history.offset).toBe(1), patience);
  expect(await sources(history)).toEqual(['text-1']);
  expect(notices.at(-1)).toBe('history: search works again');
});

test('a thread that dies of a record is started again on a new file, ever more slowly', async () => {
  await append(job(1), job(2));
  const history = start({ limits: { restartMsMin: 5, restartMsMax: 40 } });
  await sources(history);
  const bad = encodeRecord(job(3)).slice(0, -20);
  await append(bad, job(4));
  history.onDurable();
  await vi.waitFor(() => expect(notices.length).toBeGreaterThan(2), patience);
  await append(job(5));
  await log.dropBefore(5);
  await vi.waitFor(() => expect(history.offset).toBe(5), patience);
  expect(await sources(history)).toEqual(['text-5']);
});

test('a search that waits when the history is closed is refused, and closing again is fine', async () => {
  const history = start({ limits: { waitMs: 20_000 } });
  const waiting = history.search(everything, 99);
  const refused = expect(waiting).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
  await Promise.all([history.close(), history.close()]);
  await refused;
  await expect(history.search(everything, 0)).rejects.toThrow('stopping');
});
