/** The `Scheduler` of the real event loop; the only place in this folder that sets a timer. */

import { setImmediate as nextRound } from 'node:timers/promises';
import type { Scheduler } from './contract.ts';

/** Its timers keep no process alive. */
export const eventLoop: Scheduler = {
  afterThisRound: () => nextRound(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
