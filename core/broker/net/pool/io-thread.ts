/**
 * Entry of an I/O thread: owns its server sockets and connections, and communicates with the main
 * thread through `thread-messages.ts` only. It holds no job and no session; when it dies, only its
 * connections are lost.
 */

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { IdleMemory } from '../../idle-memory.ts';
import { NoticeLimit } from '../../notice-limit.ts';
import { type ConnectionTable, createConnectionTable } from '../connection-table.ts';
import { EventBatcher } from '../event-batcher.ts';
import { ListenError } from '../listen/listen-error.ts';
import { openListeners } from '../listen/listeners.ts';
import { sendEncoded } from '../outgoing.ts';
import { packEvents } from './packed-events.ts';
import type { FromThread, ThreadSetup, ToThread } from './thread-messages.ts';
import { toTransferable } from './transferable.ts';

/** Touched by messages: all work of this thread begins or ends with one. */
const memory = new IdleMemory();

function post(core: MessagePort, message: FromThread): void {
  memory.touch();
  const { value, transfer } = toTransferable(message);
  core.postMessage(value, transfer);
}

/** @throws ListenError when an address cannot be had; nothing is open then and the thread ends */
async function runIoThread(setup: ThreadSetup, core: MessagePort): Promise<void> {
  const { listen, limits } = setup;
  const batcher = new EventBatcher({
    limits,
    post: (events, confirm) => post(core, { type: 'events', events: packEvents(events), confirm }),
  });
  const notices = new NoticeLimit((text) => post(core, { type: 'notice', text }));
  const connections: ConnectionTable = createConnectionTable(setup, batcher, notices);
  const listeners = await openListeners({ listen, limits, onConnection: connections.accept });

  core.on('message', (message: ToThread) => {
    memory.touch();
    switch (message.type) {
      case 'send':
        sendEncoded(message.encoded, connections.get);
        if (message.confirm) post(core, { type: 'taken' });
        connections.readStarved();
        break;
      case 'taken':
        batcher.taken();
        connections.readOn();
        break;
      case 'stopListening':
        listeners.close();
        post(core, { type: 'stoppedListening' });
        break;
      case 'stop':
        // The thread ends with its last connection.
        listeners.close();
        connections.stop();
        core.close();
        break;
    }
  });
  post(core, { type: 'listening', addresses: listeners.addresses });
}

if (parentPort === null) throw new Error('io-thread.ts is the entry of a worker thread');
try {
  await runIoThread(workerData as ThreadSetup, parentPort);
} catch (error) {
  if (!(error instanceof ListenError)) throw error;
  post(parentPort, { type: 'failed', code: error.code, message: error.message });
}
