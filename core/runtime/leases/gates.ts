/**
 * When a job of an agent may start here: its places, and its provider's health. Rates and what is in flight
 * at all consumers the queue keeps, which calls ask one by one; jobs that would only wait there for their
 * turn stay in the queue, and take no place.
 */

import type { Money } from '../attempt/money.ts';
import type { ThreadAgent } from '../pool/thread-messages.ts';
import type { ProviderHealth } from '../providers/provider-health.ts';

/** A job that was started. */
export interface Started {
  /** A call of it asks whether it may be sent. */
  asks(): void;
  /** That was answered. */
  answered(): void;
  ended(): void;
}

export interface Gates {
  /** How many jobs of the agent may start right now; infinite without limits. */
  room(agent: ThreadAgent): number;
  /** Milliseconds until time alone may change `room`; null when it will not. */
  opensInMs(agent: ThreadAgent): number | null;
  started(agent: ThreadAgent): Started;
}

/** Jobs of one agent that have not been let through yet. */
const askingMax = 2;

/** What a started job asks about money and rates. While it waits for an answer other jobs stay in the queue. */
export function askingThrough(money: Money, started: Started, onAnswered: () => void): Money {
  return {
    charge: (charge) => money.charge(charge),
    reserve: async (call) => {
      started.asks();
      const admission = await money.reserve(call);
      started.answered();
      onAnswered();
      return admission;
    },
  };
}

export function createGates(health: Pick<ProviderHealth, 'room' | 'opensInMs'>): Gates {
  const running = new Map<string, number>();
  const asking = new Map<string, number>();

  return {
    room(entry) {
      const { name, limits } = entry.agent;
      const slots = (limits.concurrency ?? Infinity) - (running.get(name) ?? 0);
      const turns = entry.rates === null ? Infinity : askingMax - (asking.get(name) ?? 0);
      return Math.max(0, Math.min(slots, turns, health.room(entry)));
    },
    opensInMs: (entry) => health.opensInMs(entry),
    started({ agent: { name } }) {
      // Until its first call was let through.
      let isAsking = true;
      const setAsking = (now: boolean): void => {
        if (isAsking !== now) add(asking, name, now ? 1 : -1);
        isAsking = now;
      };
      add(running, name, 1);
      add(asking, name, 1);
      return {
        asks: () => setAsking(true),
        answered: () => setAsking(false),
        ended() {
          setAsking(false);
          add(running, name, -1);
        },
      };
    },
  };
}

function add(counts: Map<string, number>, name: string, by: 1 | -1): void {
  counts.set(name, (counts.get(name) ?? 0) + by);
}
