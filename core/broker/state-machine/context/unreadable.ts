/** What is answered when records that an answer needs cannot be read, or are damaged. */

import { errorCodes } from '../../../protocol/index.ts';
import type { ConnectionId } from '../../events.ts';
import { type Fetch, outgoing } from './effects.ts';
import type { Reply } from './request.ts';

/** To a request for records that cannot be read now. */
export function answerUnreadable(
  connection: ConnectionId,
  correlationId: number,
): NonNullable<Fetch['unread']> {
  return ({ message }) => {
    const fields = {
      code: errorCodes.LOG_UNREAD.number,
      message: `${message}; nothing was changed, try again`,
    };
    return [{ type: 'send', outgoing: outgoing(connection, correlationId, 'Error', fields) }];
  };
}

/** To a request for records that are damaged. */
export function unreadable(): Reply {
  const message = 'the log no longer holds this undamaged; run  aiq broker verify';
  return { name: 'Error', fields: { code: errorCodes.INTERNAL.number, message } };
}
