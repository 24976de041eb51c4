/** What the oracle knows of sessions: only what clients said and which connections there are. */

import type { ConnectionId, Now, Transport } from '../../core/broker/events.ts';
import type { CoreEvent } from '../../core/broker/state-machine/context/effects.ts';

interface KnownSession {
  connection: ConnectionId | null;
  transport: Transport;
  queues: readonly string[];
  credit: number;
  /** Without a connection: when its leases may be taken away, monotonic clock. */
  lostAtMs: number;
}

export class SessionBook {
  readonly #resumeMs: Readonly<Record<Transport, number>>;
  readonly #sessions = new Map<string, KnownSession>();
  readonly #byConnection = new Map<ConnectionId, string>();

  constructor(resumeMs: Readonly<Record<Transport, number>>) {
    this.#resumeMs = resumeMs;
  }

  get(session: string): KnownSession | undefined {
    return this.#sessions.get(session);
  }

  /** The session that speaks on a connection. */
  of(connection: ConnectionId): string | undefined {
    return this.#byConnection.get(connection);
  }

  restarted(untilMs: number): void {
    this.#byConnection.clear();
    for (const session of this.#sessions.values()) {
      session.connection = null;
      session.lostAtMs = untilMs;
    }
  }

  remember(session: string, untilMs: number): void {
    const known = this.#known(session, 'unix');
    known.lostAtMs = untilMs;
  }

  /** Whether the time in which it could have come back is over. */
  isLost(session: string, monotonicMs: number): boolean {
    const known = this.#sessions.get(session);
    if (known === undefined) return true;
    return known.connection === null && known.lostAtMs <= monotonicMs;
  }

  note(event: CoreEvent, now: Now): void {
    if (event.type === 'opened') {
      const { connection, transport, hello } = event;
      const known = this.#known(hello.session, transport);
      if (known.connection !== null) this.#byConnection.delete(known.connection);
      Object.assign(known, { connection, transport, queues: [], credit: 0 });
      this.#byConnection.set(connection, hello.session);
    }
    if (event.type === 'closed') this.#closed(event.connection, now);
    if (event.type === 'request' && event.request.name === 'Subscribe') {
      const known = this.#sessions.get(this.of(event.connection) ?? '');
      if (known !== undefined) Object.assign(known, event.request.fields);
    }
  }

  #closed(connection: ConnectionId, now: Now): void {
    const known = this.#sessions.get(this.of(connection) ?? '');
    this.#byConnection.delete(connection);
    if (known === undefined || known.connection !== connection) return;
    known.connection = null;
    known.lostAtMs = now.monotonicMs + this.#resumeMs[known.transport];
  }

  #known(session: string, transport: Transport): KnownSession {
    let known = this.#sessions.get(session);
    if (known === undefined) {
      known = { connection: null, transport, queues: [], credit: 0, lostAtMs: 0 };
      this.#sessions.set(session, known);
    }
    return known;
  }
}
