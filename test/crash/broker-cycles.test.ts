/**
 * kill -9 of a loaded broker, again and again: 8 producers, 4 consumers, at random moments, also
 * during recovery. The oracle knows only what was answered.
 *
 * More cycles, a failed run again, or on with an interrupted one:
 * `npm run test:crash -- --cycles 300 --seed 7 [--threads 3] [--resume]`; with `--bench` under the load
 * that `npm run bench -- peers` makes.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type JobQueue, openQueue } from '../../core/job-queue/index.ts';
import { ClientOracle, endStates } from '../oracle/client-oracle.ts';
import { patienceMs, testMs } from '../support/patience.ts';
import { until } from '../support/project.ts';
import { randomOf } from '../support/random.ts';
import { KilledBroker } from './broker-cycles/broker.ts';
import {
  consume,
  kinds,
  type Load,
  produce,
  produceAsBench,
  toldStates,
} from './broker-cycles/load.ts';
import { CycleState } from './broker-cycles/state.ts';

const asked = process.env['AIQ_CRASH_CYCLES'];
const cycles = Number(asked ?? 4);
const seed = Number(process.env['AIQ_CRASH_SEED'] ?? 1);
const threads = Number(process.env['AIQ_CRASH_THREADS'] ?? 1);
/** A delivery on one thread may cross the answer to a cancel on another. */
const wanted = threads === 1 ? kinds : kinds.filter((kind) => kind !== 'cancelled');
const resume = process.env['AIQ_CRASH_RESUME'] === '1';
const asBench = process.env['AIQ_CRASH_BENCH'] === '1';
const producers = asBench ? 2 : 8;
const consumers = asBench ? 1 : 4;
const acceptedPerCycle = 200;
const ackedPerCycle = 100;
const afterLoadMs = 40;
/** From the start of the process to its first answers, more or less: mostly in recovery. */
const recoveryMs = 150;

async function connect(broker: KilledBroker): Promise<JobQueue[]> {
  broker.start();
  return Promise.all(
    Array.from({ length: producers + consumers }, (_, index) => {
      const opening = { ...broker.address(index), connectDeadlineMs: 60_000 };
      return untilOpen(() => openQueue({ ...opening, clientName: `${index}` }));
    }),
  );
}

/** A folder that has no broker yet refuses at once. */
async function untilOpen(open: () => Promise<JobQueue>): Promise<JobQueue> {
  for (let failures = 0; ; failures++) {
    try {
      return await open();
    } catch (error) {
      if (failures === 100) throw error;
      await sleep(50);
    }
  }
}

/** Lets the load go on until there is enough of it, kills, and starts again; sometimes twice. */
async function runCycle(
  cycle: number,
  broker: KilledBroker,
  oracle: ClientOracle,
): Promise<number> {
  const random = randomOf(seed * 100_000 + cycle);
  await until(`load in cycle ${cycle}`, async () => {
    broker.assertServing();
    const { accepted, acked } = oracle.heard;
    return accepted.length >= acceptedPerCycle && acked >= ackedPerCycle;
  });
  await sleep(random() * afterLoadMs);
  await broker.kill();
  broker.start();
  if (cycle % 3 !== 2) return 1;
  await sleep(random() * recoveryMs);
  await broker.kill();
  broker.start();
  return 2;
}

/** Accepted jobs that did not end, as far as answers say; the answer of some was lost with a broker. */
async function unfinished(queue: JobQueue, oracle: ClientOracle): Promise<string[]> {
  const open = [...oracle.accepted].filter((id) => !oracle.ended.has(id));
  if (open.length === 0) return [];
  const told = await toldStates(queue);
  return open.filter((id) => !endStates.includes(told.get(id) ?? 'none'));
}

/** Nobody signals the jobs that the producers of an interrupted run had parked. */
async function cancelParked(queue: JobQueue, oracle: ClientOracle): Promise<void> {
  const told = await toldStates(queue);
  const parked = [...told].flatMap(([id, state]) => (state === 'parked' ? [id] : []));
  const answers = await queue.cancel(parked);
  for (const [index, answer] of answers.entries()) {
    if (answer.ok) oracle.isIn(parked[index] ?? '', answer.state);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

test(
  `no accepted job is lost and no ended one comes back over ${cycles} kills (seed ${seed})`,
  async () => {
    const oracle = new ClientOracle();
    const keptForSeed = asked === undefined ? null : seed;
    const state = await CycleState.open({ keptForSeed, resume, oracle });
    const broker = await KilledBroker.of(state.brokerDir, threads);
    const stop = new AbortController();
    let queues: JobQueue[] = [];
    let passed = false;
    try {
      queues = await connect(broker);
      const common = { oracle, stop: stop.signal, life: state.life, kinds: wanted };
      const loads = queues.map((queue): Load => ({ queue, ...common }));
      if (state.cycles.length > 0) await cancelParked(queues[0] as JobQueue, oracle);
      const consuming = await Promise.all(loads.slice(producers).map(consume));
      const producing = loads.slice(0, producers).map(asBench ? produceAsBench : produce);
      for (let cycle = state.cycles.length; cycle < cycles; cycle++) {
        const kills = await runCycle(cycle, broker, oracle);
        const heard = oracle.nextCycle();
        await state.add({ cycle, kills, ...heard });
        if (asked === undefined) continue;
        const { accepted, acked, redelivered } = heard;
        console.log(
          `cycle ${cycle + 1}: ${accepted.length} accepted, ${acked} acknowledged, ${redelivered} delivered again before their end, ${kills} kills`,
        );
      }
      stop.abort();
      await Promise.all(producing);
      const [queue] = queues as [JobQueue];
      let lost: string[] = [];
      const ended = async (): Promise<boolean> => {
        broker.assertServing();
        await sleep(100);
        lost = await unfinished(queue, oracle);
        return lost.length === 0;
      };
      await until('the rest to end', ended).catch(() => undefined);
      const count = (key: 'acked' | 'redelivered' | 'kills'): number =>
        sum(state.cycles.map((cycle) => cycle[key]));
      console.log(
        `${cycles} cycles, seed ${seed}: ${count('kills')} kills, ${oracle.accepted.size} accepted, ` +
          `${count('acked') + oracle.heard.acked} acknowledged, ${lost.length} lost, ` +
          `${oracle.violations.length} wrong answers, 0 refused starts, ` +
          `${count('redelivered') + oracle.heard.redelivered} delivered again before their end`,
      );
      expect(oracle.violations).toEqual([]);
      expect(lost).toEqual([]);
      for (const consumer of consuming) await consumer.close();
      passed = true;
    } finally {
      stop.abort();
      if (!passed) {
        const more = `${threads === 1 ? '' : ` --threads ${threads}`}${asBench ? ' --bench' : ''}`;
        console.log(`replay with: npm run test:crash -- --cycles ${cycles} --seed ${seed}${more}`);
      }
      await Promise.all(queues.map((queue) => queue.close()));
      await broker.kill();
      if (passed || asked === undefined) await state.remove();
    }
  },
  testMs + cycles * patienceMs,
);
