/** Bugs in who is let in, who is believed, and what a session may do with another's leases. */

import type { PlantedBug } from '../bug.ts';

export const accessBugs: readonly PlantedBug[] = [
  {
    name: 'broker-proof-unchecked',
    what: 'a client says Hello to whoever has the port, whatever that proved',
    edits: [
      {
        in: 'core/client/proof.ts#TokenProof.answer',
        find: 'proof.length !== expected.length || !timingSafeEqual(proof, expected)',
        replace: 'proof.length > expected.length',
      },
    ],
    caughtBy: { test: 'test/integration/client/proof.test.ts' },
  },
  {
    name: 'client-proof-unchecked',
    what: 'the broker lets in whoever sends a proof of the right length',
    edits: [
      {
        in: 'core/broker/net/hello.ts#Handshake.#check',
        find: '&& timingSafeEqual(proof, expected)',
        replace: '',
      },
    ],
    caughtBy: { test: 'test/unit/broker/net/handshake.test.ts' },
  },
  {
    name: 'proof-reflected',
    what: 'both sides sign the same bytes, so that a proof can be sent back',
    edits: [
      {
        in: 'core/protocol/proof.ts#signedBytes',
        find: '${side}',
        replace: '${side.length}-byte',
      },
    ],
    caughtBy: { test: 'test/unit/broker/net/handshake.test.ts' },
  },
  {
    name: 'open-folder-believed',
    what: 'a client goes by a folder that others may write',
    edits: [
      {
        in: 'core/client/trust.ts#problemOf',
        find: '(stats.mode & forbidden) === 0',
        replace: '(stats.mode & forbidden) >= 0',
      },
    ],
    caughtBy: { test: 'test/integration/host/trust.test.ts' },
  },
  {
    name: 'copied-socket-believed',
    what: 'a client goes to the socket that endpoints.json names, also in another folder',
    edits: [
      {
        in: 'core/host/endpoints.ts#readEndpoints',
        find: "value.unix === null ? null : path.join(dir, 'broker.sock')",
        replace: 'value.unix',
      },
    ],
    caughtBy: { test: 'test/integration/host/trust.test.ts' },
  },
  {
    name: 'journal-from-anybody',
    what: 'a session that knows a token writes into the journal of a job that it never had',
    edits: [
      {
        in: 'core/broker/state-machine/requests/journal-requests.ts#fetchPastLease',
        find: 'end.session === session',
        replace: 'end.session !== token.id',
      },
    ],
    caughtBy: { test: 'test/unit/broker/state-machine/requests/past-leases.test.ts' },
  },
  {
    name: 'strangers-counted-together',
    what: 'strangers over TCP take the places before Hello of the Unix socket',
    edits: [
      {
        in: 'core/broker/net/pool/connection-counts.ts#cellOf',
        find: 'tcp: 2',
        replace: 'tcp: 1',
      },
    ],
    caughtBy: { test: 'test/unit/broker/net/connection-counts.test.ts' },
  },
  {
    name: 'wrong-mark-accepted',
    what: 'a job comes in whose fields are another job to whoever reads tags without their top bit',
    edits: [
      {
        in: 'core/protocol/job/job-fields.ts#JobFieldFinder.refuseMisplaced',
        find: 'name === undefined',
        replace: "name !== 'id'",
      },
    ],
    caughtBy: { test: 'test/unit/protocol/job.test.ts' },
  },
  {
    name: 'knocks-fill-the-log',
    what: 'every refused login is a line in the messages of the broker',
    edits: [
      {
        in: 'core/broker/notice-limit.ts#NoticeLimit.add',
        find: 'window.passed >= linesMax',
        replace: 'window.passed > linesMax * windowMs',
      },
    ],
    caughtBy: { test: 'test/unit/broker/notice-limit.test.ts' },
  },
  {
    name: 'session-id-told',
    what: 'Inspect tells everybody whose a lease was, with the id that is the right to it',
    edits: [
      {
        in: 'core/broker/state-machine/requests/inspect.ts#inspect',
        find: 'sessionMark(end.session, core.options.newHash)',
        replace: 'end.session',
      },
    ],
    caughtBy: { test: 'test/unit/broker/state-machine/requests/past-leases.test.ts' },
  },
];
