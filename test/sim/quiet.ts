/**
 * A quiet phase: nobody asks the broker for anything, and nothing goes wrong. After a while nothing is
 * written to the log any more, and it is no larger than what is needed makes it.
 */

import { problemOfLogAtRest } from '../support/log/log-rest.ts';
import type { Life } from './life.ts';
import { noDiskFaults } from './simulated/sim-disk.ts';
import { turn } from './turn.ts';
import type { World } from './world.ts';

/** Beyond every lease, window and interval of the broker. */
const restMs = 90_000;
const stepsMax = 30_000;

export async function quietPhase(world: World, life: Life): Promise<void> {
  const { disk, scheduler } = life;
  const { clock, medium, reach } = world;
  const faults = { ...disk.faults };
  Object.assign(disk.faults, noDiskFaults);
  medium.foreignBytes = 0;
  let { writtenBytes } = disk;
  let wroteAtMs = clock.monotonicMs;
  for (let step = 0; step < stepsMax && life.phase === 'serving'; step++) {
    if (disk.pendingCount > 0) disk.completeOne();
    else if (scheduler.hasRound) scheduler.endRound();
    else if (clock.monotonicMs - wroteAtMs > restMs) break;
    else {
      const nextMs = (scheduler.nextAtMs ?? Number.POSITIVE_INFINITY) - clock.monotonicMs;
      clock.advance(Math.max(1, Math.min(1_000, Math.ceil(nextMs))));
      scheduler.fireDue();
    }
    await turn();
    if (disk.writtenBytes === writtenBytes) continue;
    writtenBytes = disk.writtenBytes;
    wroteAtMs = clock.monotonicMs;
  }
  Object.assign(disk.faults, faults);
  // What cannot be read can neither be said again nor dropped.
  if (life.phase !== 'serving' || !world.isReadable) return;
  const problem =
    clock.monotonicMs - wroteAtMs > restMs
      ? problemOfLogAtRest(life.logAtRest())
      : 'the log is still written, though nobody asks for anything';
  if (problem !== null) world.violate(problem);
  reach.reach('log came to rest');
}
