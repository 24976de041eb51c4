/** A settlement that says no more than that the job is done. */

import { noUsage, type Settlement } from '../../core/protocol/index.ts';

export const acked: Omit<Settlement, 'token'> = {
  outcome: 'ack',
  delayMs: 0,
  errorCode: '',
  errorMessage: '',
  note: '',
  usage: noUsage,
  result: null,
  output: null,
  prompts: null,
  enqueue: [],
  park: null,
};
