/** Whether a server is up. */

import { once } from 'node:events';
import { createConnection } from 'node:net';

/** True when somebody accepts connections on the Unix socket or the port of loopback. */
export async function listens(where: string | number): Promise<boolean> {
  const connection =
    typeof where === 'string' ? createConnection(where) : createConnection(where, '127.0.0.1');
  try {
    await once(connection, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    connection.destroy();
  }
}
