/** A BullMQ worker whose processor is the hand-written one, on a Redis that syncs before it answers. */

import { join } from 'node:path';
import { peer } from '../peers/bullmq.ts';
import { installPackages, loadPackage } from '../server/packages.ts';
import type { Contestant } from './contestant.ts';
import { WorkerProcess } from './worker-process.ts';

const queueName = 'bench';

export const bullmq: Contestant = {
  name: 'bullmq',
  title: 'BullMQ worker',
  missing:
    peer.version() === null
      ? `apt-get install -y --no-install-recommends ${peer.debianPackage}`
      : null,
  async start({ dir, provider, concurrency }) {
    installPackages([peer]);
    const server = await peer.start({ dir: join(dir, 'redis') });
    const client = await peer.connect(server.address, { load: loadPackage, isOneOfMany: false });
    await client.prepare(queueName);
    const outputDir = join(dir, 'out');
    const { address: redis } = server;
    const worker = await WorkerProcess.start({ provider, concurrency, outputDir, redis });
    return {
      pid: worker.pid,
      serverPid: server.process.pid,
      outputDir,
      async run(texts) {
        const finished = worker.finished(texts.length);
        const jobs = texts.map((text, at) => ({ name: text, atMicros: at, text }));
        await client.enqueue(queueName, jobs);
        await finished;
      },
      async stop() {
        await worker.stop();
        await client.close();
        await server.process.kill();
      },
    };
  },
};
