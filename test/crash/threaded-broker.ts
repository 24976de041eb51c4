/** `threaded-broker.ts DIR THREADS PORT`: a broker with several I/O threads on its Unix socket and a shared TCP port. */

import { startBroker } from '../../core/broker/index.ts';

const [, , dir = '', threads, port] = process.argv;

await startBroker({
  dir,
  unix: true,
  tcp: { host: '127.0.0.1', port: Number(port) },
  ioThreads: Number(threads),
  idleExitMs: null,
  onNotice: (text) => process.stderr.write(`${text}\n`),
});
