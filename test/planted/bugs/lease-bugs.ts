/** Bugs in who may hold a job, and what it costs. */

import { type PlantedBug, simulation } from '../bug.ts';

export const leaseBugs: readonly PlantedBug[] = [
  {
    name: 'stale-token-accepted',
    what: 'a settle ends the lease of a later delivery',
    edits: [
      {
        in: 'core/broker/state-machine/context/lease-table.ts#LeaseTable.held',
        find: '&& isNewest(job, token)',
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'foreign-session-accepted',
    what: 'another session may settle and renew a lease',
    edits: [
      {
        in: 'core/broker/state-machine/context/lease-table.ts#LeaseTable.held',
        find: 'lease?.session === session &&',
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'throttling-charged',
    what: 'a throttled job is charged an attempt',
    edits: [
      {
        in: 'core/broker/state-machine/lifecycle/lease-end.ts#rules',
        find: "throttled: { charge: 'return'",
        replace: "throttled: { charge: 'attempt'",
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'goodbye-charged',
    what: 'leases that a leaving consumer hands back are charged',
    edits: [
      {
        in: 'core/broker/state-machine/lifecycle/lease-end.ts#rules',
        find: "returned: { charge: 'return'",
        replace: "returned: { charge: 'attempt'",
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'epoch-kept',
    what: 'a start begins no new epoch',
    edits: [
      {
        in: 'core/broker/state-machine/machine.ts#QueueMachine.start',
        find: 'state.epoch + 1',
        replace: 'Math.max(1, state.epoch)',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'lease-on-wall-clock',
    what: 'leases run out by the wall clock',
    edits: [
      {
        in: 'core/broker/state-machine/lifecycle/delivery.ts#framesLeft',
        find: 'now.monotonicMs + lagMs',
        replace: 'now.wallMs + lagMs',
      },
      {
        in: 'core/broker/state-machine/lifecycle/lease-end.ts#expireLeases',
        find: 'popDue(now.monotonicMs)',
        replace: 'popDue(now.wallMs)',
      },
      {
        in: 'core/broker/state-machine/lifecycle/lease-end.ts#expireLeases',
        find: 'lease.deadlineMs > now.monotonicMs',
        replace: 'lease.deadlineMs > now.wallMs',
      },
      {
        in: 'core/broker/state-machine/requests/settle.ts#renew',
        find: 'renew(lease, now.monotonicMs)',
        replace: 'renew(lease, now.wallMs)',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'session-lost-at-once',
    what: 'a lost connection costs its leases without a resume window',
    edits: [
      {
        in: 'core/broker/state-machine/lifecycle/sessions.ts#connectionClosed',
        find: '+ core.options.resumeMs[session.transport]',
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'delivers-on-full-disk',
    what: 'jobs are delivered while the disk is full',
    edits: [
      {
        in: 'core/broker/state-machine/lifecycle/delivery.ts#deliverReady',
        find: '|| core.diskFull',
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'priority-starves',
    what: 'low priorities never age',
    edits: [
      {
        in: 'core/broker/state-machine/state/named-queue.ts#NamedQueue.constructor',
        find: 'ageingOffsetMs[priority]',
        replace: 'ageingOffsetMs[priority] * 1_000_000',
      },
    ],
    caughtBy: simulation,
  },
];
