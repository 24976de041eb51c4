/** Answers of the protocol in the words of the port. */

import { errorCodeOf, type ItemAnswer, noError } from '../../protocol/index.ts';
import type { Settled } from '../port-consumer.ts';

export function settledOf({ code, state, message }: ItemAnswer): Settled {
  return code === noError ? { ok: true, state } : { ok: false, code: errorCodeOf(code), message };
}
