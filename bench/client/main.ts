/** A client process: connections of one peer's own client, told by its parent what to do. Starts with the peer's name. */

import { setTimeout as sleep } from 'node:timers/promises';
import { peerNamed } from '../server/find-peers.ts';
import { loadPackage } from '../server/packages.ts';
import type { Client } from '../server/peer.ts';
import type { Answer, Envelope, OrderName, Orders, Watched } from './orders.ts';
import { nowMicros, Producing } from './producing.ts';

const peer = await peerNamed(process.argv[2] ?? '');
const clients: Client[] = [];
const reportMs = 5;
let done = 0;
let latenciesMs: number[] = [];
let producing: Producing | null = null;

type Handlers = {
  [Name in OrderName]: (takes: Orders[Name]['takes']) => Promise<Orders[Name]['answers']>;
};

const handlers: Handlers = {
  async open({ address, connections, queue }) {
    const options = { load: loadPackage, isOneOfMany: connections > 1 };
    for (let count = 0; count < connections; count++) {
      const client = await peer.connect(address, options);
      await client.prepare(queue);
      clients.push(client);
    }
    return null;
  },
  async produce(order) {
    producing = new Producing(clients, order, (jobs) => {
      done += jobs;
    });
    return producing.ended;
  },
  async consume({ queue, atOnce }) {
    await first().consume(queue, atOnce, ({ atMicros }) => {
      done += 1;
      if (atMicros > 0) latenciesMs.push((nowMicros() - atMicros) / 1_000);
    });
    setInterval(() => answer({ taken: done }), reportMs).unref();
    return null;
  },
  watch: ({ ms }) => watch(ms),
  stop() {
    producing?.stop();
    return Promise.resolve(null);
  },
  async close() {
    producing?.stop();
    await Promise.all(clients.map((client) => client.close()));
    return null;
  },
  waiting: ({ queue }) => first().waiting(queue),
  done: () => Promise.resolve(done),
  taken(count) {
    producing?.taken(count);
    return Promise.resolve(null);
  },
};

process.on('message', (envelope: Envelope) => {
  const { number } = envelope;
  handle(envelope).then(
    (value) => answer({ number, value }),
    (error: unknown) => answer({ number, error: String((error as Error).stack ?? error) }),
  );
});
process.on('disconnect', () => process.exit());
answer({ number: 0, value: null });

async function handle({ name: order, takes }: Envelope): Promise<unknown> {
  return (handlers[order] as (takes: unknown) => Promise<unknown>)(takes);
}

function answer(value: Answer): void {
  process.send?.(value);
}

function first(): Client {
  const [client] = clients;
  if (client === undefined) throw new Error('not open');
  return client;
}

async function watch(ms: number): Promise<Watched> {
  latenciesMs = [];
  const before = done;
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  await sleep(ms);
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    jobs: done - before,
    ms: performance.now() - startMs,
    cpuMicros: user + system,
    latenciesMs,
  };
}
