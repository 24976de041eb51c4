/** Bugs in who is let in, who is believed, and what a session may do with another's leases. */

import type { PlantedBug } from '../bug.ts';

export const accessBugs: readonly PlantedBug[] = [
  {
    name: 'broker-proof-unchecked',
    what: 'a client says Hello to whoever has the port, whatever that proved',
    edits: [
      {
        file: 'core/client/proof.ts',
        find: 'if (proof.length !== expected.length || !timingSafeEqual(proof, expected)) {',
        replace: 'if (proof.length > expected.length) {',
      },
    ],
    caughtBy: { test: 'test/integration/client/proof.test.ts' },
  },
  {
    name: 'client-proof-unchecked',
    what: 'the broker lets in whoever sends a proof of the right length',
    edits: [
      {
        file: 'core/broker/net/hello.ts',
        find: 'if (proof.length === expected.length && timingSafeEqual(proof, expected)) return;',
        replace: 'if (proof.length === expected.length) return;',
      },
    ],
    caughtBy: { test: 'test/unit/broker/net/handshake.test.ts' },
  },
  {
    name: 'proof-reflected',
    what: 'both sides sign the same bytes, so that a proof can be sent back',
    edits: [
      {
        file: 'core/protocol/proof.ts',
        find: '`aiq/${protocolVersion} ${side}`',
        replace: '`aiq/${protocolVersion} ${side.length}-byte`',
      },
    ],
    caughtBy: { test: 'test/unit/broker/net/handshake.test.ts' },
  },
  {
    name: 'open-folder-believed',
    what: 'a client goes by a folder that others may write',
    edits: [
      {
        file: 'core/client/trust.ts',
        find: 'if (owned !== null || (stats.mode & forbidden) === 0) return owned;',
        replace: 'if (owned !== null || (stats.mode & forbidden) >= 0) return owned;',
      },
    ],
    caughtBy: { test: 'test/integration/host/trust.test.ts' },
  },
  {
    name: 'copied-socket-believed',
    what: 'a client goes to the socket that endpoints.json names, also in another folder',
    edits: [
      {
        file: 'core/host/endpoints.ts',
        find: "unix: value.unix === null ? null : path.join(dir, 'broker.sock')",
        replace: 'unix: value.unix',
      },
    ],
    caughtBy: { test: 'test/integration/host/trust.test.ts' },
  },
  {
    name: 'journal-from-anybody',
    what: 'a session that knows a token writes into the journal of a job that it never had',
    edits: [
      {
        file: 'core/broker/state-machine/requests/journal-requests.ts',
        find: 'end.delivery === token.delivery && end.session === session',
        replace: 'end.delivery === token.delivery && end.session !== token.id',
      },
    ],
    caughtBy: { test: 'test/unit/broker/state-machine/requests/past-leases.test.ts' },
  },
  {
    name: 'strangers-counted-together',
    what: 'strangers over TCP take the places before Hello of the Unix socket',
    edits: [
      {
        file: 'core/broker/net/pool/connection-counts.ts',
        find: '{ client: 0, unix: 1, tcp: 2 }',
        replace: '{ client: 0, unix: 1, tcp: 1 }',
      },
    ],
    caughtBy: { test: 'test/unit/broker/net/connection-counts.test.ts' },
  },
  {
    name: 'wrong-mark-accepted',
    what: 'a job comes in whose fields are another job to whoever reads tags without their top bit',
    edits: [
      {
        file: 'core/protocol/decode-job.ts',
        find: '    if (name === undefined) continue;',
        replace: "    if (name !== 'id') continue;",
      },
    ],
    caughtBy: { test: 'test/unit/protocol/job.test.ts' },
  },
  {
    name: 'knocks-fill-the-log',
    what: 'every refused login is a line in the messages of the broker',
    edits: [
      {
        file: 'core/broker/notice-limit.ts',
        find: 'if (window.passed >= linesMax) {',
        replace: 'if (window.passed > linesMax * windowMs) {',
      },
    ],
    caughtBy: { test: 'test/unit/broker/notice-limit.test.ts' },
  },
  {
    name: 'session-id-told',
    what: 'Inspect tells everybody whose a lease was, with the id that is the right to it',
    edits: [
      {
        file: 'core/broker/state-machine/requests/inspect.ts',
        find: 'session: sessionMark(end.session, core.options.newHash)',
        replace: 'session: end.session',
      },
    ],
    caughtBy: { test: 'test/unit/broker/state-machine/requests/past-leases.test.ts' },
  },
];
