/** A folder for each test of a file. Its broker is a real process, which ends with the test. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, onTestFinished } from 'vitest';
import { stopBroker } from '../../../core/host/index.ts';
import { type JobQueue, openQueue } from '../../../core/job-queue/index.ts';
import { closeAfterTest } from '../close-after-test.ts';

export interface BrokerFolder {
  /** Not made before somebody opens it. */
  readonly dir: string;
  open(): Promise<JobQueue>;
}

export function brokerFolder(): BrokerFolder {
  let dir = '';
  beforeEach(async () => {
    const base = await mkdtemp(join(tmpdir(), 'aiq-test-'));
    const own = join(base, 'broker');
    dir = own;
    onTestFinished(async () => {
      await stopBroker(own);
      await rm(base, { recursive: true, force: true });
    });
  });
  return {
    get dir() {
      return dir;
    },
    open: async () => {
      const queue = await openQueue({ broker: `file:${dir}`, tokenFile: null, clientName: 'test' });
      closeAfterTest(queue);
      return queue;
    },
  };
}
