/** The port's `Consumer` over a session of the built-in broker. */

import { type ExtendAnswer, Consumer as Session, type SessionOptions } from '../../client/index.ts';
import { AiqError, errorCodeOf, limits, noError, noUsage } from '../../protocol/index.ts';
import type { ConsumeOptions, Consumer, Extended, LeasedJob, Settle } from '../port.ts';
import { settledOf } from './answers.ts';

export async function openAiqConsumer(
  options: SessionOptions,
  { queues, credit, onDelivery, onLeaseLost }: ConsumeOptions,
): Promise<Consumer> {
  const session = await Session.open({ ...options, queues, credit, onDelivery, onLeaseLost });
  return {
    get leaseMs(): number {
      return session.leaseMs;
    },
    setCredit: (wanted) => session.setCredit(wanted),
    settle: async (leased, settle) => settledOf(await session.settle(leased, settlementOf(settle))),
    extend: async (leased: readonly LeasedJob[]) => (await session.extend(leased)).map(extendedOf),
    close: () => session.close(),
  };
}

/**
 * Texts over the limit of the protocol are cut; a note is JSON and would break.
 * @throws AiqError `BAD_REQUEST` when the note is too long
 */
function settlementOf(settle: Settle): Parameters<Session['settle']>[1] {
  const note = settle.note ?? '';
  const noteBytes = Buffer.byteLength(note);
  if (noteBytes > limits.noteBytesMax) {
    const message = `the note has ${noteBytes} bytes; ${limits.noteBytesMax} are allowed`;
    throw new AiqError('BAD_REQUEST', message);
  }
  return {
    outcome: settle.outcome,
    delayMs: Math.ceil(Math.max(0, settle.delayMs ?? 0)),
    errorCode: cut(settle.errorCode ?? '', limits.errorCodeBytesMax),
    errorMessage: cut(settle.errorMessage ?? '', limits.errorMessageBytesMax),
    note,
    usage: settle.usage ?? noUsage,
    result: null,
    enqueue: [],
    park: null,
  };
}

/** The longest beginning of a text that has at most `bytesMax` bytes in UTF-8. */
function cut(text: string, bytesMax: number): string {
  const into = new Uint8Array(bytesMax);
  return text.slice(0, new TextEncoder().encodeInto(text, into).read);
}

function extendedOf({ code, directive }: ExtendAnswer): Extended {
  return code === noError ? { ok: true, directive } : { ok: false, code: errorCodeOf(code) };
}
