/**
 * A deadline for what comes over a socket. A process that was stopped or busy wakes up with its timers
 * due: what arrived meanwhile is read before any of them counts.
 */
export class ReadDeadline {
  readonly #timer: NodeJS.Timeout;
  #lastProbe: NodeJS.Immediate | undefined;

  /** Calls `onOver` after `ms`, and after everything that is in the sockets then, unless ended before. */
  constructor(ms: number, onOver: () => void) {
    this.#timer = setTimeout(() => {
      this.#lastProbe = setImmediate(onOver);
    }, ms);
  }

  end(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#lastProbe);
  }
}
