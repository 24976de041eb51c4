/** The pool with real threads that misbehave: who is blamed, who is spared, and what goes on. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Pool, type PoolOptions } from '../../../core/runtime/pool/pool.ts';
import type { RunOptions } from '../../../core/runtime/pool/run.ts';
import { hostileData, hostileEntry, requestFor, told } from '../../support/hostile/hostile-runs.ts';
import { fakeJournal, fakeServices } from '../../support/runtime-fakes.ts';

const pools: Pool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

function poolOf(options: Partial<PoolOptions> = {}) {
  const crashes: string[] = [];
  const broken: string[] = [];
  const pool = new Pool({
    entry: hostileEntry,
    data: hostileData,
    threads: 1,
    concurrency: 4,
    heapMegabytesMax: 32,
    memoryMegabytesMax: 200,
    onCrash: (message) => crashes.push(message),
    onBroken: (message) => broken.push(message),
    ...options,
  });
  pools.push(pool);
  const run = (deed: string, runOptions: Partial<RunOptions> = {}) =>
    pool.run(requestFor(deed, false), {
      hardLimitMs: 60_000,
      services: fakeServices(),
      ...runOptions,
    });
  return { pool, run, crashes, broken };
}

describe('a thread', () => {
  it('answers each run, also beside others', async () => {
    const { run } = poolOf({ threads: 2, concurrency: 4 });
    const ends = await Promise.all(Array.from({ length: 20 }, () => run('be fine').end));
    expect(ends.map(told)).toEqual(Array.from({ length: 20 }, () => 'fine'));
  });

  it('that throws takes its only run down as crashed, and is replaced', async () => {
    const { run, crashes } = poolOf();
    expect(await run('throw out of nowhere').end).toEqual({
      type: 'crashed',
      cause: 'crashed',
      message: 'the worker thread died: thrown out of nowhere',
    });
    expect(crashes).toEqual(['thrown out of nowhere']);
    expect(told(await run('be fine').end)).toBe('fine');
  });

  it('that exits does not end the process', async () => {
    const { run } = poolOf();
    const end = await run('exit the process').end;
    expect(end).toMatchObject({ type: 'crashed', message: expect.stringMatching(/exit code 3/) });
    expect(told(await run('be fine').end)).toBe('fine');
  });

  it('that loops for ever is ended at the hard limit of its run', async () => {
    const { run } = poolOf();
    const end = await run('loop for ever', { hardLimitMs: 300 }).end;
    expect(end).toMatchObject({
      type: 'crashed',
      cause: 'deadline',
      message: expect.stringMatching(/more than 300 ms/),
    });
    expect(told(await run('be fine').end)).toBe('fine');
  });

  it('that eats all memory dies alone', async () => {
    const { run } = poolOf();
    const neighbour = run('never end');
    const end = await run('eat all memory').end;
    expect(end).toMatchObject({ cause: 'out_of_memory', message: expect.stringMatching(/memory/) });
    expect(await neighbour.end).toMatchObject({ type: 'bystander' });
    expect(told(await run('be fine').end)).toBe('fine');
  });

  it('that fills the memory with Buffers, which its heap limit does not count, dies alone too', async () => {
    const { run } = poolOf({ threads: 2, concurrency: 3 });
    const elsewhere = run('wait for the stop');
    const guilty = run('eat all memory in Buffers');
    const neighbour = run('never end');
    expect(await guilty.end).toMatchObject({
      type: 'crashed',
      cause: 'out_of_memory',
      message: expect.stringMatching(/took \d+ MiB of memory; 200 MiB are allowed/),
    });
    elsewhere.stop('shutdown');
    expect(told(await elsewhere.end)).toBe('stopped');
    neighbour.stop('shutdown');
  });

  it('has its questions to the journal answered', async () => {
    const { run } = poolOf();
    const journal = fakeJournal();
    expect(told(await run('ask the journal', { services: fakeServices(journal) }).end)).toBe(
      'nothing',
    );
    journal.entries.set(Buffer.from('hash').toString('hex'), Buffer.from('theirs'));
    const second = poolOf();
    expect(
      told(await second.run('put into the journal', { services: fakeServices(journal) }).end),
    ).toBe('theirs');
  });
});

describe('blame', () => {
  it('falls on all when nobody knows whose code brought the thread down', async () => {
    const { run } = poolOf();
    const ends = [run('never end'), run('never end'), run('throw out of nowhere')];
    const types = (await Promise.all(ends.map((one) => one.end))).map((end) => end.type);
    expect(types).toEqual(['crashed', 'crashed', 'crashed']);
  });

  it('falls on the run that the thread was busy with, whoever reached its limit first', async () => {
    const { run } = poolOf();
    // By then the guilty one is at work, on a busy machine too.
    const innocent = run('never end', { hardLimitMs: 3_000 });
    const guilty = run('loop, and be named', { hardLimitMs: 60_000 });
    expect(await guilty.end).toMatchObject({ type: 'crashed' });
    expect(await innocent.end).toMatchObject({ type: 'bystander' });
  });

  it('falls on the run over its limit when the thread was busy with nothing', async () => {
    const { run } = poolOf();
    const innocent = run('never end', { hardLimitMs: 60_000 });
    const guilty = run('never end', { hardLimitMs: 200 });
    expect(await guilty.end).toMatchObject({ type: 'crashed' });
    expect(await innocent.end).toMatchObject({ type: 'bystander' });
  });
});

describe('a pool', () => {
  it('holds back what has no slot, and drops it when told', async () => {
    const { run } = poolOf({ threads: 1, concurrency: 1 });
    const first = run('wait for the stop');
    const second = run('be fine');
    const third = run('be fine');
    second.stop('cancelled');
    expect(await second.end).toEqual({ type: 'unstarted' });
    first.stop('shutdown');
    expect(told(await third.end)).toBe('fine');
  });

  it('ends every run when it closes, and takes none afterwards', async () => {
    const { pool, run } = poolOf({ threads: 1, concurrency: 1 });
    const running = run('loop for ever');
    const waiting = run('be fine');
    await pool.close();
    expect((await running.end).type).toBe('crashed');
    expect((await waiting.end).type).toBe('unstarted');
    expect((await run('be fine').end).type).toBe('unstarted');
  });

  it('says so when threads do not start at all', async () => {
    const { run, broken } = poolOf({ entry: new URL('./no-such-thread.ts', import.meta.url) });
    for (let round = 0; round < 3; round++) {
      expect((await run('be fine').end).type).toBe('crashed');
    }
    expect(broken).toHaveLength(1);
  });

  it('gives up only when threads fail to start in a row', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'aiq-pool-'));
    const starts = JSON.stringify(join(folder, 'starts'));
    const source = `
      import { appendFileSync, statSync } from 'node:fs';
      import { parentPort } from 'node:worker_threads';
      appendFileSync(${starts}, '.');
      if (statSync(${starts}).size !== 3) throw new Error('it does not start');
      parentPort.postMessage([{ type: 'ready' }]);`;
    const entry = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
    const { run, broken } = poolOf({ entry });
    for (let round = 0; round < 5; round++) await run('be fine').end;
    expect(broken).toEqual([]);
    await run('be fine').end;
    expect(broken).toHaveLength(1);
    rmSync(folder, { recursive: true });
  });
});
