/** Bugs in whose folder it is, and in waiting for a broker that starts. */

import type { PlantedBug } from '../bug.ts';

const swap = { test: 'test/integration/broker/folder/folder-swap.test.ts' };
const folder = { test: 'test/unit/broker/folder/folder.test.ts' };
const host = { test: 'test/integration/host/host.test.ts' };

export const folderBugs: readonly PlantedBug[] = [
  {
    name: 'lock-released-first',
    what: 'a start that fails lets go of the lock before it is closed',
    edits: [
      {
        in: 'core/broker/broker.ts#Broker.open',
        find: 'await this.#closeAll();',
        replace: 'this.#folder.release(); await this.#closeAll();',
      },
    ],
    caughtBy: swap,
  },
  {
    name: 'serves-after-failed-start',
    what: 'a start that fails closes nothing',
    edits: [
      {
        in: 'core/broker/broker.ts#Broker.open',
        find: 'await this.#closeAll();',
        replace: '',
      },
    ],
    caughtBy: swap,
  },
  {
    name: 'segment-replaced',
    what: 'a new segment takes the place of one that is there',
    edits: [
      {
        in: 'core/broker/log/disk/disk.ts#createFile',
        find: 'await disk.link(from, to); await disk.remove(from);',
        replace: 'await disk.rename(from, to);',
      },
    ],
    caughtBy: folder,
  },
  {
    name: 'foreign-socket-removed',
    what: 'a broker that ends removes whatever stands in the place of its socket',
    edits: [
      {
        in: 'core/broker/net/listen/unix-socket.ts#bindSocket',
        find: 'if (identityOf(path) === own)',
        replace: '',
      },
    ],
    caughtBy: swap,
  },
  {
    name: 'folder-not-looked-at',
    what: 'a broker goes on when its folder is another one',
    edits: [
      {
        in: 'core/broker/folder/held-folder.ts#HeldFolder.lossError',
        find: 'if (now === identity) continue;',
        replace: 'if (now !== undefined) continue;',
      },
    ],
    caughtBy: folder,
  },
  {
    name: 'files-by-path',
    what: 'files of the folder are reached by its path, which may lead to another one',
    edits: [
      {
        in: 'core/broker/folder/held-folder.ts#HeldFolder.constructor',
        find: 'throughDescriptor(descriptor) ?? dir',
        replace: 'dir',
      },
    ],
    caughtBy: folder,
  },
  {
    name: 'copied-endpoints-believed',
    what: 'a client believes endpoints that were written for another folder',
    edits: [
      {
        in: 'core/host/endpoints.ts#readEndpoints',
        find: '|| value.folder !== `${dev}:${ino}`',
        replace: '|| `${dev}:${ino}` === value.brokerId',
      },
    ],
    caughtBy: host,
  },
  {
    name: 'any-broker-spoken-to',
    what: 'a client goes on with a broker that is not the one that its folder names',
    edits: [
      {
        in: 'core/client/connection.ts#Connection.#open',
        find: 'brokerId !== undefined && hello.broker !== brokerId',
        replace: "hello.broker === 'none'",
      },
    ],
    caughtBy: host,
  },
  {
    name: 'recovery-not-waited-for',
    what: 'requests give up while the broker recovers its log',
    edits: [
      {
        in: 'core/client/session.ts#Session.#wait',
        find: 'this.#requests.keepWaiting();',
        replace: '',
      },
    ],
    caughtBy: { test: 'test/integration/host/starting.test.ts' },
  },
  {
    name: 'start-for-nobody',
    what: 'a client that was closed while it searched for its broker starts one all the same',
    edits: [
      {
        in: 'core/host/ensure.ts#ensureBroker',
        find: 'signal?.throwIfAborted();',
        replace: '',
      },
      {
        in: 'core/host/ensure.ts#ensureBroker',
        find: ', undefined, { signal }',
        replace: '',
      },
    ],
    caughtBy: host,
  },
];
