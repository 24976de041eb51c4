/** Why the broker cannot listen, with a message for the person who started it. */

/** `code` is the system's (`EADDRINUSE`) or one of our own in capitals (`NOT_LOOPBACK`). */
export class ListenError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ListenError';
    this.code = code;
  }
}
