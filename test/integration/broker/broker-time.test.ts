/** Real brokers that are stopped longer than a lease, and whose machine's clock is set by a year. */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeJob, encodeJob, encodePreamble, limits } from '../../../core/protocol/index.ts';
import { until } from '../../support/project.ts';
import { type Asker, idOf, jobBytes, Place, range, settlement } from './broker-peer.ts';
import { helloFields, Peer } from './net/peer.ts';

const leaseMs = 2_000;
/** Longer than a peer has for its Hello. */
const pauseMs = limits.handshakeMs + 1_000;
const yearMs = 365 * 86_400_000;

let place: Place;

beforeEach(() => {
  place = new Place();
});

afterEach(() => place.remove());

/** Enqueues five jobs into a queue of its own, and takes them. */
async function holdFive(asker: Asker, queue: string, first: number) {
  await asker.enqueue(
    range(5).map((number) => first + number),
    queue,
  );
  await asker.subscribe(5, [queue]);
  return (await asker.deliveries(5)).map(({ token }) => token);
}

test('a broker that was stopped for longer than a lease takes nothing from anybody', async () => {
  const broker = place.spawn(['--lease-ms', `${leaseMs}`]);
  const renewing = await place.patientAsker(1);
  const silent = await place.asker(2);
  const lost = await place.asker(3);
  const renewed = await holdFive(renewing, 'a', 0);
  const unrenewed = await holdFive(silent, 'b', 10);
  const unresumed = await holdFive(lost, 'c', 20);
  const timer = setInterval(() => renewing.tell('Extend', { tokens: renewed }), leaseMs / 4);
  await lost.peer.close();
  const stranger = new Peer({ path: join(place.dir, 'broker.sock') });
  stranger.raw(encodePreamble());
  await until('the preamble of the broker', async () => stranger.version !== null);
  broker.kill('SIGSTOP');
  await sleep(pauseMs);
  broker.kill('SIGCONT');
  const fine = [0, 0, 0, 0, 0];
  // Whose connection was lost before has the rest of its window, a lease the rest of its time.
  const back = await place.asker(3);
  expect(await back.resume(unresumed)).toEqual(fine);
  expect(await silent.settle(unrenewed)).toEqual(fine);
  expect(await back.settle(unresumed)).toEqual(fine);
  stranger.send('Hello', 1, helloFields());
  expect((await stranger.answer(1)).name).toBe('HelloOk');
  await stranger.close();
  // Renewals that waited in the socket count from when they are read.
  await sleep(leaseMs);
  clearInterval(timer);
  expect(await renewing.settle(renewed)).toEqual(fine);
  for (const { state, crashes, returns } of await renewing.list()) {
    expect({ state, crashes, returns }).toEqual({ state: 'done', crashes: 0, returns: 0 });
  }
});

describe('a system clock that is set by a year', () => {
  /** Code that sets the clock of its process: by so much at its start, and again at each signal. */
  function setClock(atStartMs: number, atSignalMs = 0): string {
    return `let ms = ${atStartMs}; const now = Date.now; Date.now = () => now() + ms;
      process.on('SIGUSR2', () => { ms += ${atSignalMs}; });`;
  }

  async function kill(broker: ChildProcess): Promise<void> {
    broker.kill('SIGKILL');
    await once(broker, 'exit');
  }

  /** Takes the job and gives it back for a second. */
  async function retryIn(asker: Asker, delayMs: number): Promise<void> {
    const [held] = await asker.deliveries(1);
    const item = { ...settlement(held!.token, 'retry'), delayMs };
    await asker.ask('Settle', { items: [item] }, 'SettleOk');
  }

  test.each([yearMs, -yearMs])('by %d ms while the broker runs', async (jumpMs) => {
    const broker = place.spawn([], setClock(0, jumpMs));
    const asker = await place.patientAsker(1);
    await asker.enqueue([1]);
    await asker.subscribe(1);
    const [first] = await asker.deliveries(1);
    await asker.settle([first!.token]);
    await asker.enqueue([2]);
    await retryIn(asker, 1_000);
    const retriedAtMs = performance.now();
    broker.kill('SIGUSR2');
    const [again] = await asker.deliveries(1);
    expect(performance.now() - retriedAtMs).toBeGreaterThan(900);
    expect(again).toMatchObject({ attempt: 2, crashes: 0 });
    expect(await asker.settle([again!.token])).toEqual([0]);
    // What is over is kept: the same jobs again are found.
    await sleep(1_500);
    expect(await asker.enqueue([1, 2])).toEqual(['exists', 'exists']);
  });

  test('back over a restart: delays and retries come all the same, and nothing is forgotten', async () => {
    const before = place.spawn([], setClock(yearMs));
    const asker = await place.patientAsker(1);
    await asker.enqueue([1]);
    await asker.subscribe(1);
    const [first] = await asker.deliveries(1);
    await asker.settle([first!.token]);
    await asker.enqueue([2]);
    await retryIn(asker, 1_000);
    await kill(before);
    place.spawn([], setClock(0));
    const later = await place.patientAsker(2);
    // A time of day is that of the system's clock, before and after.
    const timed = { ...decodeJob(jobBytes(3)), expiresAtMs: Date.now() + 3_600_000 };
    const jobs = [encodeJob({ ...timed, runAtMs: Date.now() + 500 }, crc32)];
    await later.ask('Enqueue', { atomic: false, jobs }, 'EnqueueOk');
    await later.subscribe(2);
    const ids = (await later.deliveries(2)).map(({ token }) => token.id);
    expect(ids.toSorted()).toEqual([idOf(2), idOf(3)].toSorted());
    expect(await later.enqueue([1])).toEqual(['exists']);
  });

  test('ahead over a restart: nothing is forgotten, and nothing comes before its time', async () => {
    const before = place.spawn([], setClock(0));
    const asker = await place.patientAsker(1);
    await asker.enqueue([1]);
    await asker.subscribe(1);
    const [first] = await asker.deliveries(1);
    await asker.settle([first!.token]);
    await asker.enqueue([2]);
    await retryIn(asker, 3_600_000);
    await kill(before);
    place.spawn([], setClock(yearMs));
    const later = await place.patientAsker(2);
    await later.enqueue([3]);
    await later.subscribe(2);
    const [delivered] = await later.deliveries(1);
    expect(delivered!.token.id).toBe(idOf(3));
    const states = (await later.list()).map(({ id, state }) => [id, state]);
    expect(Object.fromEntries(states)).toEqual({
      [idOf(1)]: 'done',
      [idOf(2)]: 'delayed',
      [idOf(3)]: 'leased',
    });
  });
});
