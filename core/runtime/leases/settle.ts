/** Telling the broker how a lease ends, and its answer. */

import { messageOf } from '../../base/index.ts';
import {
  AiqError,
  type Consumer,
  type LeasedJob,
  type Settle,
  type Settled,
} from '../../job-queue/index.ts';
import { putOff } from './settlement.ts';

interface Held {
  readonly leased: LeasedJob;
  readonly group: { readonly consumer: Pick<Consumer, 'settle'> };
}

export interface Answered {
  readonly answer: Settled;
  /** The settle that was sent last. */
  readonly said: Settle;
}

/**
 * The broker's answer. A result that it does not take is no reason to do the work again, and where it
 * does not take the job that follows, this one waits.
 */
export async function answerTo(held: Held, settle: Settle): Promise<Answered> {
  const answer = await answerOnce(held, settle);
  const { result, enqueue, ...rest } = settle;
  if (answer.ok || (result ?? enqueue) === undefined) return { answer, said: settle };
  const said =
    enqueue === undefined ? rest : putOff(0, `the next job was refused: ${answer.message}`);
  return { answer: await answerOnce(held, said), said };
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
