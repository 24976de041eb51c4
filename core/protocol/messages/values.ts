/**
 * Large bytes and the journal: what is written once and referred to afterwards.
 * Part of the table in `../messages.ts`.
 */

import { charge, token, value } from '../structs.ts';

export const valueMessages = {
  BlobPut: {
    opcode: 44,
    from: 'client',
    answer: 'BlobPutOk',
    fields: { sha256: 'bytes', totalBytes: 'u53', offset: 'u53', chunk: 'bytes' },
  },
  BlobPutOk: {
    opcode: 55,
    from: 'broker',
    answer: null,
    /** Bytes that the broker has, in order from 0: the next chunk begins there. */
    fields: { storedBytes: 'u53', complete: 'bool' },
  },
  BlobGet: {
    opcode: 45,
    from: 'client',
    answer: 'BlobData',
    fields: { sha256: 'bytes', offset: 'u53', bytesMax: 'u32' },
  },
  BlobData: {
    opcode: 56,
    from: 'broker',
    answer: null,
    fields: { totalBytes: 'u53', offset: 'u53', chunk: 'bytes' },
  },
  /** Write-once: the answer carries the stored value. The charge of the call counts in any case. */
  JournalPut: {
    opcode: 46,
    from: 'client',
    answer: 'JournalOk',
    fields: { token, callHash: 'bytes', value, charge: { optional: charge } },
  },
  JournalGet: {
    opcode: 47,
    from: 'client',
    answer: 'JournalOk',
    fields: { id: 'id', callHash: 'bytes' },
  },
  JournalOk: {
    opcode: 57,
    from: 'broker',
    answer: null,
    fields: { value: { optional: value } },
  },
} as const;
