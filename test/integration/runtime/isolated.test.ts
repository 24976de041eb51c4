/** Isolated runs in real processes that misbehave: how they end, what is told of it, what is left. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type IsolatedOptions,
  IsolatedRuns,
} from '../../../core/runtime/isolated/isolated-runs.ts';
import type { RunOptions } from '../../../core/runtime/pool/run.ts';
import { hostileData, hostileEntry, requestFor, told } from '../../support/hostile/hostile-runs.ts';
import { until } from '../../support/project.ts';
import { fakeJournal, fakeServices, threadAgentOf } from '../../support/runtime-fakes.ts';

const opened: IsolatedRuns[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((runs) => runs.close()));
});

function runsOf(options: Partial<IsolatedOptions> = {}) {
  const crashes: string[] = [];
  const entry = threadAgentOf();
  const runs = new IsolatedRuns({
    entry: hostileEntry,
    data: {
      ...hostileData,
      agents: [{ ...entry, provider: { ...entry.provider, apiKey: 'sk-test-very-secret-key' } }],
    },
    processesMax: 2,
    heapMegabytesMax: 64,
    memoryMegabytesMax: 400,
    onCrash: (message) => crashes.push(message),
    ...options,
  });
  opened.push(runs);
  const run = (deed: string, runOptions: Partial<RunOptions> = {}) =>
    runs.run(requestFor(deed, true), {
      hardLimitMs: 60_000,
      services: fakeServices(),
      ...runOptions,
    });
  return { runs, run, crashes };
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('an isolated run', () => {
  it('has a process of its own, which is gone when it ends', async () => {
    const { run, crashes } = runsOf();
    const pids = (await Promise.all([run('tell the process').end, run('tell the process').end]))
      .map(told)
      .map(Number);
    expect(new Set([...pids, process.pid]).size).toBe(3);
    await until('both processes gone', async () => !pids.some(isAlive));
    expect(crashes).toEqual([]);
  });

  it('waits while as many as may run do, and goes without a process when it is stopped there', async () => {
    const { run } = runsOf({ processesMax: 1 });
    const first = run('wait for the stop');
    const second = run('be fine');
    const third = run('be fine');
    second.stop('cancelled');
    expect(await second.end).toEqual({ type: 'unstarted' });
    first.stop('shutdown');
    expect(told(await first.end)).toBe('stopped');
    expect(told(await third.end)).toBe('fine');
  });

  it('has its questions to the journal answered', async () => {
    const { run } = runsOf();
    const journal = fakeJournal();
    expect(told(await run('ask the journal', { services: fakeServices(journal) }).end)).toBe(
      'nothing',
    );
    expect(told(await run('put into the journal', { services: fakeServices(journal) }).end)).toBe(
      'mine',
    );
    expect(told(await run('ask the journal', { services: fakeServices(journal) }).end)).toBe(
      'mine',
    );
  });

  it('takes along what the job itself has started', async () => {
    const { run } = runsOf();
    const pid = Number(told(await run('leave a process behind').end));
    expect(pid).toBeGreaterThan(0);
    await until('it is gone', async () => !isAlive(pid));
  });
});

describe('the death of an isolated run', () => {
  it.each([
    ['eat all memory', 'out_of_memory', /heap out of memory/],
    ['eat all memory in Buffers', 'out_of_memory', /took \d+ MiB of memory; 400 MiB are allowed/],
    ['kill the process', 'killed', /SIGKILL/],
    ['exit the process', 'crashed', /exit code 3/],
    ['throw out of nowhere', 'crashed', /thrown out of nowhere/],
  ])('"%s" is told as %s', async (deed, cause, message) => {
    const { run, crashes } = runsOf();
    const end = await run(deed).end;
    expect(end).toMatchObject({ type: 'crashed', cause, message: expect.stringMatching(message) });
    expect(crashes).toHaveLength(1);
    expect(told(await run('be fine').end)).toBe('fine');
  });

  it('comes at the hard limit for one that loops for ever', async () => {
    const { run } = runsOf();
    const end = await run('loop for ever', { hardLimitMs: 1500 }).end;
    expect(end).toMatchObject({ cause: 'deadline', message: expect.stringMatching(/1500 ms/) });
  });

  it('tells the last words of the process, without keys', async () => {
    const { run } = runsOf();
    const end = await run('abort the process').end;
    expect(end).toMatchObject({ type: 'crashed', cause: 'crashed' });
    const { message } = end as { message: string };
    expect(message).toMatch(/its process died of SIGABRT; it last wrote: /);
    expect(message).not.toContain('secret');
  });

  it('follows that of its consumer, whatever the job does', async () => {
    const file = fileURLToPath(new URL('../../support/isolating-consumer.ts', import.meta.url));
    const consumer = spawn(process.execPath, [file], { stdio: ['ignore', 'ignore', 'pipe'] });
    const [line] = (await once(consumer.stderr, 'data')) as [Buffer];
    const pid = Number(/process (\d+)/.exec(line.toString())?.[1]);
    expect(isAlive(pid)).toBe(true);
    consumer.kill('SIGKILL');
    await until('its process is gone', async () => !isAlive(pid));
  });

  it('is the consumer stopping when that closes, and nothing starts afterwards', async () => {
    const { runs, run, crashes } = runsOf({ processesMax: 1 });
    const running = run('loop for ever');
    const waiting = run('be fine');
    await runs.close();
    expect(await running.end).toMatchObject({ cause: 'killed' });
    expect(await waiting.end).toEqual({ type: 'unstarted' });
    expect(await run('be fine').end).toEqual({ type: 'unstarted' });
    expect(crashes).toEqual([]);
  });
});
