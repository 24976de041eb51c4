/** Jobs that wait for a budget: what they are parked on, and when they run again. */

import type { Now } from '../../events.ts';
import type { Core } from '../context/core.ts';

const keyPrefix = 'budget:';

/** What jobs are parked on that wait for the budget. */
export function parkKeyOf(budget: string): string {
  return `${keyPrefix}${budget}`;
}

/** Jobs that are parked for the budget run again, in order; those that still do not fit park again. */
export function wakeParked(core: Core, budget: string, now: Now): void {
  core.wakes.set(budget, wakesOf(core, budget) + 1);
  const key = parkKeyOf(budget);
  const queues = [...core.state.jobs.queues.all()];
  if (!queues.some(({ parked }) => parked.has(key))) return;
  core.bulks.begin({ action: 'signal', queue: null, key }, null, now);
}

/** A call of the job has no room in the budget: the job is about to be parked for it. */
export function noteRefused(core: Core, id: string, budget: string): void {
  core.refused.set(id, { budget, wakes: wakesOf(core, budget) });
}

/**
 * The key that a lease ends with, null for one of a budget whose jobs were woken since the call was refused:
 * no one would wake this one. Also after a restart, which knows nothing of refusals.
 */
export function keyToParkOn(core: Core, id: string, key: string | null): string | null {
  if (key === null || !isOfBudget(key)) return key;
  const refused = core.refused.get(id);
  const isShut = refused !== undefined && refused.wakes === wakesOf(core, refused.budget);
  return isShut && parkKeyOf(refused.budget) === key ? key : null;
}

/** What waits for money does not circle: it may come back with every raise, and after months. */
export function isOfBudget(key: string | null): boolean {
  return key?.startsWith(keyPrefix) ?? false;
}

function wakesOf({ wakes }: Core, budget: string): number {
  return wakes.get(budget) ?? 0;
}
