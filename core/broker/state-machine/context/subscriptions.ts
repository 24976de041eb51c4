/**
 * Who wants jobs of which queues. A session that found none in any of its queues is not looked through
 * again before one of them has some: what a session names costs nobody anything while nothing is there.
 */

import type { Session } from './core.ts';

export class Subscriptions {
  readonly #sessionsOf: Map<string, Set<Session>> = new Map();

  /** From now on the session gets jobs of these queues, as many at a time as its credit. */
  set(session: Session, queues: readonly string[], credit: number): void {
    for (const name of session.queues) {
      const sessions = this.#sessionsOf.get(name);
      sessions?.delete(session);
      if (sessions?.size === 0) this.#sessionsOf.delete(name);
    }
    session.queues = [...new Set(queues)];
    session.credit = credit;
    session.mayFind = true;
    for (const name of session.queues) {
      const sessions = this.#sessionsOf.get(name) ?? new Set();
      this.#sessionsOf.set(name, sessions.add(session));
    }
  }

  /** These queues have jobs that can be handed out; empties the set. */
  wake(queues: Set<string>): void {
    for (const name of queues) {
      for (const session of this.#sessionsOf.get(name) ?? []) session.mayFind = true;
    }
    queues.clear();
  }
}
