/** Bugs in what time means: what a broker missed, and clocks that are set. */

import { type PlantedBug, simulation } from '../bug.ts';

export const timeBugs: readonly PlantedBug[] = [
  {
    name: 'missed-time-counts',
    what: 'time in which the broker was stopped counts against leases',
    edits: [
      {
        in: 'core/broker/steady-time.ts#SteadyTime.now',
        find: 'realMs - this.#readAtMs > this.stepMsMax',
        replace: 'realMs < 0',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'ends-before-reading',
    what: 'a bit of a pause counts at once, before what came meanwhile was read',
    edits: [
      {
        in: 'core/broker/steady-time.ts#SteadyTime.now',
        find: 'if (wasPaused)',
        replace: '',
      },
    ],
    caughtBy: { test: 'test/unit/broker/broker-clock.test.ts' },
  },
  {
    name: 'set-clock-followed',
    what: "the broker's wall clock jumps with the system's",
    edits: [
      {
        in: 'core/broker/broker-clock.ts#BrokerClock.now',
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
        in: 'core/broker/broker-clock.ts#BrokerClock.now',
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
        in: 'core/broker/broker-clock.ts#BrokerClock.startAfter',
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
        in: 'core/broker/broker-clock.ts#BrokerClock.#goOnFrom',
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
        in: 'core/broker/events.ts#expiryClockMs',
        find: 'Math.min(wallMs, systemMs)',
        replace: 'Math.max(wallMs, systemMs)',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'time-of-day-by-own-clock',
    what: "a time of day is taken for one of the broker's clock, which may differ from the system's",
    edits: [
      {
        in: 'core/broker/state-machine/requests/admission.ts#Admission.#admit',
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
        in: 'core/broker/log/disk/space.ts#SpaceGuard.#onError',
        find: "'code' in error &&",
        replace: "!('code' in error) ||",
      },
    ],
    caughtBy: { test: 'test/unit/broker/log/space.test.ts' },
  },
  {
    name: 'names-changed-elsewhere',
    what: 'a broker goes on making and removing files in a folder that took the place of its own',
    edits: [
      {
        in: 'core/broker/folder/held-folder.ts#heldDisk',
        find: 'folder.check();',
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'answer-in-socket-missed',
    what: 'a client that was stopped gives up a request whose answer it had got',
    edits: [
      {
        in: 'core/client/read-deadline.ts#ReadDeadline.constructor',
        find: 'this.#lastProbe = setImmediate(onOver);',
        replace: 'onOver();',
      },
    ],
    caughtBy: { test: 'test/integration/client/client.test.ts' },
  },
];
