/**
 * The one table of protocol v1: every message with its opcode, who sends it, what answers it and
 * its fields in wire order. It is put together from `messages/`, one file for each duty. Codec, types
 * and `docs/reference/protocol.md` follow from it; a test holds the document to it.
 *
 * To add a message, see `docs/internals/recipes.md`. Numbers of retired messages are listed in
 * `docs/reference/protocol.md` and never given again.
 */

import { jobMessages } from './messages/jobs.ts';
import { batchMessages, moneyMessages } from './messages/money.ts';
import { outputMessages } from './messages/outputs.ts';
import { queueMessages } from './messages/queues.ts';
import { sessionMessages } from './messages/session.ts';
import { valueMessages } from './messages/values.ts';
import { workMessages } from './messages/work.ts';

export const messages = {
  ...sessionMessages,
  ...workMessages,
  ...jobMessages,
  ...queueMessages,
  ...valueMessages,
  ...outputMessages,
  ...moneyMessages,
  ...batchMessages,
} as const;
