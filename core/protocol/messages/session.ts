/**
 * Opening, keeping and ending a connection, and the two answers that any request may get.
 * Part of the table in `../messages.ts`.
 */

export const sessionMessages = {
  /** Over TCP the first message: asks the broker to prove that it has the token. */
  Prove: { opcode: 7, from: 'client', answer: 'Proof', fields: { nonce: 'bytes' } },
  Proof: {
    opcode: 8,
    from: 'broker',
    answer: null,
    fields: { broker: 'id', nonce: 'bytes', proof: 'bytes' },
  },
  Hello: {
    opcode: 1,
    from: 'client',
    answer: 'HelloOk',
    fields: {
      session: 'id',
      client: 'text',
      /** Over TCP: that the client has the token, too. Else empty. */
      proof: 'bytes',
      features: 'u32',
      frameBytesMax: 'u32',
    },
  },
  HelloOk: {
    opcode: 2,
    from: 'broker',
    answer: null,
    fields: {
      broker: 'id',
      epoch: 'u53',
      software: 'text',
      features: 'u32',
      frameBytesMax: 'u32',
      jobBytesMax: 'u32',
      batchItemsMax: 'u32',
      leaseMs: 'u32',
      resumeMs: 'u32',
      /** True when the broker still holds this session, with or without leases. */
      sessionKnown: 'bool',
    },
  },
  Error: {
    opcode: 3,
    from: 'broker',
    answer: null,
    fields: { code: 'u16', message: 'text' },
  },
  Ok: { opcode: 4, from: 'broker', answer: null, fields: {} },
  Goodbye: { opcode: 5, from: 'client', answer: 'Ok', fields: {} },
  Ping: { opcode: 6, from: 'client', answer: 'Ok', fields: {} },
  Shutdown: { opcode: 32, from: 'client', answer: 'Ok', fields: {} },
} as const;
