/**
 * What the broker reports of jobs, and what an operator may do with single ones.
 * Part of the table in `../messages.ts`.
 */

import { itemAnswer, jobInfo, jobStates, leaseEndInfo, value } from '../structs.ts';

export const jobMessages = {
  Inspect: {
    opcode: 20,
    from: 'client',
    answer: 'InspectOk',
    fields: { idPrefix: 'text', withJob: 'bool' },
  },
  InspectOk: {
    opcode: 21,
    from: 'broker',
    answer: null,
    fields: {
      jobs: {
        list: {
          struct: {
            info: jobInfo,
            job: { optional: 'bytes' },
            /** Ends of its leases, newest first, as many as are kept. */
            history: { list: leaseEndInfo },
          },
        },
      },
    },
  },
  List: {
    opcode: 22,
    from: 'client',
    answer: 'ListOk',
    fields: {
      queue: { optional: 'text' },
      state: { optional: { enum: jobStates } },
      /** Continue below this cursor; 0 starts with the newest job. */
      before: 'u53',
      limit: 'u32',
    },
  },
  ListOk: {
    opcode: 23,
    from: 'broker',
    answer: null,
    fields: { jobs: { list: jobInfo }, /** 0 when there are no more. */ next: 'u53' },
  },
  /** Searches all jobs in the broker's history; every condition that is given must hold. */
  Search: {
    opcode: 60,
    from: 'client',
    answer: 'SearchOk',
    fields: {
      queue: { optional: 'text' },
      states: { list: { enum: jobStates } },
      agent: { optional: 'text' },
      tag: { optional: 'text' },
      /** Words that must occur in source, note or error. */
      text: { optional: 'text' },
      errorCode: { optional: 'text' },
      /** Bounds of the time when a job entered its state; 0 for none. */
      sinceMs: 'u53',
      untilMs: 'u53',
      costMicrosMin: 'u53',
      /** Continue behind this cursor of the page before; empty starts with the newest. */
      after: 'text',
      limit: 'u32',
    },
  },
  SearchOk: {
    opcode: 61,
    from: 'broker',
    answer: null,
    fields: {
      jobs: { list: jobInfo },
      /** Empty when there are no more. */
      next: 'text',
      /** The history holds everything up to this offset of the log. */
      offset: 'u53',
    },
  },
  Wait: { opcode: 26, from: 'client', answer: 'WaitOk', fields: { id: 'id' } },
  WaitOk: { opcode: 27, from: 'broker', answer: null, fields: { job: jobInfo } },
  Result: { opcode: 58, from: 'client', answer: 'ResultOk', fields: { id: 'id' } },
  ResultOk: {
    opcode: 59,
    from: 'broker',
    answer: null,
    fields: { value: { optional: value } },
  },
  Cancel: { opcode: 28, from: 'client', answer: 'CancelOk', fields: { ids: { list: 'id' } } },
  CancelOk: { opcode: 29, from: 'broker', answer: null, fields: { items: { list: itemAnswer } } },
  Retry: { opcode: 30, from: 'client', answer: 'RetryOk', fields: { ids: { list: 'id' } } },
  RetryOk: { opcode: 31, from: 'broker', answer: null, fields: { items: { list: itemAnswer } } },
  Watch: { opcode: 37, from: 'client', answer: 'Ok', fields: { queues: { list: 'text' } } },
  JobEvents: { opcode: 38, from: 'broker', answer: null, fields: { jobs: { list: jobInfo } } },
} as const;
