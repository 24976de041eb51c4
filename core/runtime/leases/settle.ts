/** Telling the broker how a lease ends, and its answer. */

import { messageOf } from '../../base/index.ts';
import {
  AiqError,
  type Consumer,
  type LeasedJob,
  type Settle,
  type Settled,
} from '../../job-queue/index.ts';
import { keptWaiting, putOff, tooLarge } from './settlement.ts';

interface Held {
  readonly leased: LeasedJob;
  readonly group: { readonly consumer: Pick<Consumer, 'settle'> };
}

export interface Answered {
  readonly answer: Settled;
  /** The settle that was sent last. */
  readonly said: Settle;
}

/** Codes of a broker that has no room for a result now, and of one that takes no such result. */
const noRoom: readonly string[] = ['DISK_FULL', 'QUEUE_FULL', 'NO_BLOB', 'BAD_BLOB'];
const neverTaken: readonly string[] = ['JOB_TOO_LARGE', 'FRAME_TOO_LARGE', 'BAD_REQUEST'];

/**
 * The broker's answer. A job whose result it does not take waits, or is dead when none would take it; and
 * where it does not take the job that follows, this one waits.
 */
export async function answerTo(held: Held, settle: Settle): Promise<Answered> {
  const answer = await answerOnce(held, settle);
  const said = answer.ok ? null : insteadOf(settle, answer);
  if (said === null) return { answer, said: settle };
  return { answer: await answerOnce(held, said), said };
}

/** What is said in place of a settle that was refused; null when nothing helps. */
function insteadOf(settle: Settle, { code, message }: Settled & { ok: false }): Settle | null {
  if (settle.enqueue !== undefined) return putOff(0, `the next job was refused: ${message}`);
  if (settle.output === undefined && settle.prompts === undefined) return null;
  if (settle.output === undefined) {
    const { prompts: _, ...rest } = settle;
    return noRoom.includes(code) ? rest : null;
  }
  if (noRoom.includes(code)) return keptWaiting(settle, message);
  return neverTaken.includes(code) ? tooLarge(settle, message) : null;
}

/** A settle that did not reach the broker has an answer too. */
async function answerOnce({ leased, group }: Held, settle: Settle): Promise<Settled> {
  try {
    return await group.consumer.settle(leased, settle);
  } catch (error) {
    const code = error instanceof AiqError ? error.code : 'INTERNAL';
    const reason = messageOf(error);
    return { ok: false, code, message: `the outcome did not reach the broker: ${reason}` };
  }
}
