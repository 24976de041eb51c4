/** Whether a server is up. */

import { once } from 'node:events';
import { createConnection } from 'node:net';

/** True when somebody accepts connections on the Unix socket. */
export async function listens(socket: string): Promise<boolean> {
  const connection = createConnection(socket);
  try {
    await once(connection, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    connection.destroy();
  }
}
