/**
 * The table of error codes: wire number, whether the same request may succeed later, what it
 * means and what to do. `docs/reference/protocol.md` repeats it; a test compares the two.
 */

export const errorCodes = {
  BAD_MAGIC: { number: 1, retryable: false, meaning: 'The first bytes are not an aiq preamble.' },
  VERSION: { number: 2, retryable: false, meaning: 'The peer speaks another protocol version.' },
  FRAME_TOO_LARGE: {
    number: 3,
    retryable: false,
    meaning: 'A frame announces more bytes than allowed.',
  },
  BAD_FRAME: {
    number: 4,
    retryable: false,
    meaning: 'A frame does not decode as its opcode demands.',
  },
  UNKNOWN_OPCODE: { number: 5, retryable: false, meaning: 'No message has this opcode.' },
  HELLO_EXPECTED: {
    number: 6,
    retryable: false,
    meaning: 'The first message must be Hello, and only the first.',
  },
  UNAUTHORIZED: {
    number: 7,
    retryable: false,
    meaning: 'The token is missing or wrong: one side could not prove that it has it.',
  },
  TOO_SLOW: {
    number: 8,
    retryable: true,
    meaning: 'Hello or the rest of a frame did not arrive in time, or a watcher did not keep up.',
  },
  SESSION_IN_USE: {
    number: 9,
    retryable: true,
    meaning: 'Another connection took this session over.',
  },
  TOO_MANY_CONNECTIONS: {
    number: 10,
    retryable: true,
    meaning: 'The broker holds as many connections as it may.',
  },
  UNSUPPORTED: {
    number: 20,
    retryable: false,
    meaning: 'This broker does not serve that message, feature or critical job field.',
  },
  BAD_JOB: {
    number: 21,
    retryable: false,
    meaning: 'The job lacks a field or a field has a bad value.',
  },
  CHECKSUM: {
    number: 22,
    retryable: true,
    meaning: 'The job was damaged on the way: its checksum does not fit.',
  },
  JOB_TOO_LARGE: { number: 23, retryable: false, meaning: 'The encoded job is over the limit.' },
  TOO_MANY_ITEMS: {
    number: 24,
    retryable: false,
    meaning: 'The batch has more items than one frame may carry.',
  },
  CONFLICT: {
    number: 25,
    retryable: false,
    meaning: 'A job with the same id, or a budget with the same name, exists with other content.',
  },
  BATCH_REFUSED: {
    number: 26,
    retryable: false,
    meaning: 'The item is fine, but the atomic batch has one that is not.',
  },
  QUEUE_FULL: {
    number: 27,
    retryable: true,
    meaning: 'The broker, or the queue, holds as many jobs or bytes as it may.',
  },
  NOT_FOUND: { number: 30, retryable: false, meaning: 'No such job or budget.' },
  BAD_STATE: {
    number: 31,
    retryable: false,
    meaning: 'The job is in a state that does not allow this.',
  },
  STALE_LEASE: {
    number: 32,
    retryable: false,
    meaning: 'The token is not the newest of its job; nothing was changed.',
  },
  BAD_REQUEST: {
    number: 33,
    retryable: false,
    meaning: 'A field of the request has a value that is not allowed.',
  },
  NO_BLOB: {
    number: 35,
    retryable: false,
    meaning: 'The blob that is referred to is not stored, or not yet complete.',
  },
  BAD_BLOB: {
    number: 36,
    retryable: false,
    meaning: 'The bytes of the blob do not have the hash or the length that was announced.',
  },
  SHUTTING_DOWN: {
    number: 40,
    retryable: true,
    meaning: 'The broker is stopping and takes nothing new.',
  },
  DISK_FULL: { number: 41, retryable: true, meaning: 'The log has no room for new jobs.' },
  LOG_UNREAD: {
    number: 42,
    retryable: true,
    meaning: 'The log cannot be read at the moment; nothing was changed.',
  },
  INTERNAL: {
    number: 50,
    retryable: false,
    meaning: 'The broker met a state that its authors ruled out.',
  },
  UNREACHABLE: {
    number: 60,
    retryable: true,
    meaning: 'No broker answers at its address (raised by the client).',
  },
  OUTCOME_UNKNOWN: {
    number: 61,
    retryable: true,
    meaning:
      'The connection ended before the answer came; the request may have taken effect (raised by the client).',
  },
  TIMEOUT: {
    number: 62,
    retryable: true,
    meaning: 'The answer did not come in the time that the caller gave (raised by the client).',
  },
  CLOSED: {
    number: 63,
    retryable: false,
    meaning: 'The client was closed (raised by the client).',
  },
  UNTRUSTED: {
    number: 64,
    retryable: false,
    meaning:
      'What leads to the broker is not of this user alone, or not on this machine (raised by the client).',
  },
} as const;

export type ErrorCode = keyof typeof errorCodes;

const codeByNumber = new Map<number, ErrorCode>(
  (Object.keys(errorCodes) as ErrorCode[]).map((code) => [errorCodes[code].number, code]),
);

/** Wire number of "no error", in the per-item answers of batches. */
export const noError = 0;

/** The code for a wire number; numbers of later versions read as `INTERNAL`. */
export function errorCodeOf(number: number): ErrorCode {
  return codeByNumber.get(number) ?? 'INTERNAL';
}

/** An error with a code of the table: what the peer answered, or what the client found out. */
export class AiqError extends Error {
  readonly code: ErrorCode;
  /** True when the same request may succeed later, unchanged. */
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AiqError';
    this.code = code;
    this.retryable = errorCodes[code].retryable;
  }
}
