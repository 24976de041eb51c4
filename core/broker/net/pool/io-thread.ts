/**
 * Entry of an I/O thread: owns its server sockets and connections, and speaks with the core only
 * through `thread-messages.ts`. It holds no job and no session; when it dies, its connections are
 * all that is lost.
 */

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { IdleMemory } from '../../idle-memory.ts';
import { NoticeLimit } from '../../notice-limit.ts';
import { type ConnectionTable, createConnectionTable } from '../connection-table.ts';
import { EventBatcher } from '../event-batcher.ts';
import { ListenError } from '../listen-error.ts';
import { openListeners } from '../listeners.ts';
import { sendEncoded } from '../outgoing.ts';
import type { FromThread, ThreadSetup, ToThread } from './thread-messages.ts';
import { toTransferable } from './transferable.ts';

/** There is no work but what ends in a message to or from the core. */
const memory = new IdleMemory();

function tell(core: MessagePort, message: FromThread): void {
  memory.touch();
  const { value, transfer } = toTransferable(message);
  core.postMessage(value, transfer);
}

/** @throws ListenError when an address cannot be had; nothing is open then and the thread ends */
async function runIoThread(setup: ThreadSetup, core: MessagePort): Promise<void> {
  const { listen, limits } = setup;
  const inbox = new EventBatcher({
    limits,
    post: (events, confirm) => tell(core, { type: 'events', events, confirm }),
  });
  const notices = new NoticeLimit((text) => tell(core, { type: 'notice', text }));
  const connections: ConnectionTable = createConnectionTable(setup, inbox, notices);
  const listeners = await openListeners({ listen, limits, onConnection: connections.accept });

  core.on('message', (message: ToThread) => {
    memory.touch();
    switch (message.type) {
      case 'send':
        sendEncoded(message.encoded, connections.get);
        if (message.confirm) tell(core, { type: 'taken' });
        connections.readStarved();
        break;
      case 'taken':
        inbox.taken();
        connections.readOn();
        break;
      case 'close':
        connections.get(message.connection)?.drain();
        break;
      case 'stopListening':
        listeners.close();
        tell(core, { type: 'stoppedListening' });
        break;
      case 'stop':
        // With the last connection goes the last thing that keeps the thread alive.
        listeners.close();
        connections.stop();
        core.close();
        break;
    }
  });
  tell(core, { type: 'listening', addresses: listeners.addresses });
}

if (parentPort === null) throw new Error('io-thread.ts is the entry of a worker thread');
try {
  await runIoThread(workerData as ThreadSetup, parentPort);
} catch (error) {
  if (!(error instanceof ListenError)) throw error;
  tell(parentPort, { type: 'failed', code: error.code, message: error.message });
}
