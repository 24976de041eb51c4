/** Bugs in what time means: what a broker missed, and clocks that are set. */

import { type PlantedBug, simulation } from '../bug.ts';

export const timeBugs: readonly PlantedBug[] = [
  {
    name: 'missed-time-counts',
    what: 'time in which the broker was stopped counts against leases',
    edits: [
      {
        file: 'core/broker/steady-time.ts',
        find: 'if (realMs - this.#readAtMs > this.stepMsMax) {',
        replace: 'if (realMs < 0) {',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'ends-before-reading',
    what: 'a bit of a pause counts at once, before what came meanwhile was read',
    edits: [
      {
        file: 'core/broker/steady-time.ts',
        find: 'if (wasPaused) this.#nowMs += this.stepMsMax;',
        replace: 'this.#nowMs += this.stepMsMax;',
      },
    ],
    caughtBy: { test: 'test/unit/broker/broker-clock.test.ts' },
  },
  {
    name: 'set-clock-followed',
    what: "the broker's wall clock jumps with the system's",
    edits: [
      {
        file: 'core/broker/broker-clock.ts',
        find: 'this.#wallMs += Math.max(-slewMsMax, Math.min(slewMsMax, systemMs - this.#wallMs));',
        replace: 'this.#wallMs = systemMs;',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'sleep-forgotten',
    what: 'the sleep of the machine does not pass for delays',
    edits: [
      {
        file: 'core/broker/broker-clock.ts',
        find: 'passedMs += sleptMs;',
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'earlier-clock-believed',
    what: 'a start goes by a clock that lies before the newest time in the log',
    edits: [
      {
        file: 'core/broker/broker-clock.ts',
        find: 'this.#wallMs = newestMs;',
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'set-clock-taken-over',
    what: 'a start takes over a clock that was set by years while no broker ran',
    edits: [
      {
        file: 'core/broker/broker-clock.ts',
        find: 'this.#wallMs = passedMs;',
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'expired-by-a-set-clock',
    what: 'a clock that was set ahead ends jobs before their time',
    edits: [
      {
        file: 'core/broker/events.ts',
        find: 'return Math.min(wallMs, systemMs);',
        replace: 'return Math.max(wallMs, systemMs);',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'time-of-day-by-own-clock',
    what: "a time of day is taken for one of the broker's clock, which may differ from the system's",
    edits: [
      {
        file: 'core/broker/state-machine/requests/admission.ts',
        find: 'facts.runAtMs - systemMs',
        replace: 'facts.runAtMs - wallMs + 0 * systemMs',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'gone-folder-waited-for',
    what: 'a broker whose folder was moved away waits for it to come back',
    edits: [
      {
        file: 'core/broker/log/disk/space.ts',
        find: "const isTransient = 'code' in error && !lastingErrors.has(String(error.code));",
        replace:
          "const isTransient = !('code' in error) || !lastingErrors.has(String(error.code));",
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'names-changed-elsewhere',
    what: 'a broker goes on making and removing files in a folder that took the place of its own',
    edits: [
      {
        file: 'core/broker/folder/held-folder.ts',
        find: '      folder.check();\n      return operation();',
        replace: '      return operation();',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'answer-in-socket-missed',
    what: 'a client that was stopped gives up a request whose answer it had got',
    edits: [
      {
        file: 'core/client/read-deadline.ts',
        find: 'this.#lastProbe = setImmediate(onOver);',
        replace: 'onOver();',
      },
    ],
    caughtBy: { test: 'test/integration/client/client.test.ts' },
  },
];
