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
        file: 'core/broker/broker.ts',
        find: `      await this.#closeAll();
      throw error;`,
        replace: `      this.#folder.release();
      await this.#closeAll();
      throw error;`,
      },
    ],
    caughtBy: swap,
  },
  {
    name: 'serves-after-failed-start',
    what: 'a start that fails closes nothing',
    edits: [
      {
        file: 'core/broker/broker.ts',
        find: `      await this.#closeAll();
      throw error;`,
        replace: '      throw error;',
      },
    ],
    caughtBy: swap,
  },
  {
    name: 'segment-replaced',
    what: 'a new segment takes the place of one that is there',
    edits: [
      {
        file: 'core/broker/log/disk/disk.ts',
        find: `    await disk.link(from, to);
    await disk.remove(from);`,
        replace: '    await disk.rename(from, to);',
      },
    ],
    caughtBy: folder,
  },
  {
    name: 'foreign-socket-removed',
    what: 'a broker that ends removes whatever stands in the place of its socket',
    edits: [
      {
        file: 'core/broker/net/listen/unix-socket.ts',
        find: 'if (identityOf(path) === own) rmSync',
        replace: 'rmSync',
      },
    ],
    caughtBy: swap,
  },
  {
    name: 'folder-not-looked-at',
    what: 'a broker goes on when its folder is another one',
    edits: [
      {
        file: 'core/broker/folder/held-folder.ts',
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
        file: 'core/broker/folder/held-folder.ts',
        find: 'this.root = throughDescriptor(descriptor) ?? dir;',
        replace: 'this.root = dir;',
      },
    ],
    caughtBy: folder,
  },
  {
    name: 'copied-endpoints-believed',
    what: 'a client believes endpoints that were written for another folder',
    edits: [
      {
        file: 'core/host/endpoints.ts',
        find: ' || value.folder !== `${dev}:${ino}`',
        replace: ' || `${dev}:${ino}` === value.brokerId',
      },
    ],
    caughtBy: host,
  },
  {
    name: 'any-broker-spoken-to',
    what: 'a client goes on with a broker that is not the one that its folder names',
    edits: [
      {
        file: 'core/client/connection.ts',
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
        file: 'core/client/session.ts',
        find: `    this.#requests.keepWaiting();
`,
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
        file: 'core/host/ensure.ts',
        find: '    signal?.throwIfAborted();\n',
        replace: '',
      },
      {
        file: 'core/host/ensure.ts',
        find: 'await sleep(pollMs * (0.5 + Math.random()), undefined, { signal });',
        replace: 'await sleep(pollMs * (0.5 + Math.random()));',
      },
    ],
    caughtBy: host,
  },
];
