/** Bugs in who may hold a job, and what it costs. */

import { type PlantedBug, simulation } from '../bug.ts';

export const leaseBugs: readonly PlantedBug[] = [
  {
    name: 'stale-token-accepted',
    what: 'a settle ends the lease of a later delivery',
    edits: [
      {
        file: 'core/broker/state-machine/context/lease-table.ts',
        find: 'lease?.session === session && isNewest(job, token) ? lease : undefined',
        replace: 'lease?.session === session ? lease : undefined',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'foreign-session-accepted',
    what: 'another session may settle and renew a lease',
    edits: [
      {
        file: 'core/broker/state-machine/context/lease-table.ts',
        find: 'lease?.session === session && isNewest(job, token) ? lease : undefined',
        replace: 'isNewest(job, token) ? lease : undefined',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'throttling-charged',
    what: 'a throttled job is charged an attempt',
    edits: [
      {
        file: 'core/broker/state-machine/lifecycle/lease-end.ts',
        find: "throttled: { charge: 'return', again: true }",
        replace: "throttled: { charge: 'attempt', again: true }",
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'goodbye-charged',
    what: 'leases that a leaving consumer hands back are charged',
    edits: [
      {
        file: 'core/broker/state-machine/lifecycle/lease-end.ts',
        find: "  returned: { charge: 'return', again: true }",
        replace: "  returned: { charge: 'attempt', again: true }",
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'epoch-kept',
    what: 'a start begins no new epoch',
    edits: [
      {
        file: 'core/broker/state-machine/machine.ts',
        find: 'epoch: state.epoch + 1,',
        replace: 'epoch: Math.max(1, state.epoch),',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'lease-on-wall-clock',
    what: 'leases run out by the wall clock',
    edits: [
      {
        file: 'core/broker/state-machine/lifecycle/delivery.ts',
        find: 'beginLeases(core, session, frame, now.monotonicMs + lagMs);',
        replace: 'beginLeases(core, session, frame, now.wallMs + lagMs);',
      },
      {
        file: 'core/broker/state-machine/lifecycle/lease-end.ts',
        find: 'core.leases.deadlines.popDue(now.monotonicMs)',
        replace: 'core.leases.deadlines.popDue(now.wallMs)',
      },
      {
        file: 'core/broker/state-machine/lifecycle/lease-end.ts',
        find: 'if (lease.deadlineMs > now.monotonicMs) {',
        replace: 'if (lease.deadlineMs > now.wallMs) {',
      },
      {
        file: 'core/broker/state-machine/requests/settle.ts',
        find: 'core.leases.renew(lease, now.monotonicMs)',
        replace: 'core.leases.renew(lease, now.wallMs)',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'session-lost-at-once',
    what: 'a lost connection costs its leases without a resume window',
    edits: [
      {
        file: 'core/broker/state-machine/lifecycle/sessions.ts',
        find: 'awaitResume(core, session, now.monotonicMs + core.options.resumeMs[session.transport]);',
        replace: 'awaitResume(core, session, now.monotonicMs);',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'delivers-on-full-disk',
    what: 'jobs are delivered while the disk is full',
    edits: [
      {
        file: 'core/broker/state-machine/lifecycle/delivery.ts',
        find: 'core.state.jobs.readyCount === 0 || core.diskFull) return true;',
        replace: 'core.state.jobs.readyCount === 0) return true;',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'priority-starves',
    what: 'low priorities never age',
    edits: [
      {
        file: 'core/broker/state-machine/state/named-queue.ts',
        find: '      offsetMs: ageingOffsetMs[priority],',
        replace: '      offsetMs: ageingOffsetMs[priority] * 1_000_000,',
      },
    ],
    caughtBy: simulation,
  },
];
