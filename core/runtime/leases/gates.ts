/** When a job of an agent may start: its `concurrency`, its `requestsPerMinute`, its provider's health. */

import type { ThreadAgent } from '../pool/thread-messages.ts';
import type { ProviderHealth } from '../providers/provider-health.ts';

export interface Gates {
  /** How many jobs of the agent may start right now; infinite without limits. */
  room(agent: ThreadAgent): number;
  /** Milliseconds until time alone may change `room`; null when it will not. */
  opensInMs(agent: ThreadAgent): number | null;
  started(agent: ThreadAgent): void;
  /** `calls` is what the job really made; the start counted one. */
  ended(agent: ThreadAgent, calls: number): void;
}

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

/** A minute's worth is let through in portions of at most ten seconds. */
const burstShare = 1 / 6;

export function createGates(
  health: Pick<ProviderHealth, 'room' | 'opensInMs'>,
  nowMs: () => number = () => performance.now(),
): Gates {
  const running = new Map<string, number>();
  const buckets = new Map<string, Bucket>();

  function bucketOf(name: string, perMinute: number): Bucket {
    const capacity = Math.max(1, perMinute * burstShare);
    const now = nowMs();
    const bucket = buckets.get(name) ?? { tokens: capacity, filledAtMs: now };
    const gained = ((now - bucket.filledAtMs) * perMinute) / 60_000;
    bucket.tokens = Math.min(capacity, bucket.tokens + gained);
    bucket.filledAtMs = now;
    buckets.set(name, bucket);
    return bucket;
  }

  return {
    room(entry) {
      const { name, limits } = entry.agent;
      const slots = (limits.concurrency ?? Infinity) - (running.get(name) ?? 0);
      const perMinute = limits.requestsPerMinute;
      const tokens = perMinute === null ? Infinity : Math.floor(bucketOf(name, perMinute).tokens);
      return Math.max(0, Math.min(slots, tokens, health.room(entry)));
    },
    opensInMs(entry) {
      const { name, limits } = entry.agent;
      const perMinute = limits.requestsPerMinute;
      const missing = perMinute === null ? 0 : 1 - bucketOf(name, perMinute).tokens;
      const tokenMs = missing > 0 && perMinute !== null ? (missing * 60_000) / perMinute : 0;
      const waitMs = Math.max(health.opensInMs(entry) ?? 0, tokenMs);
      return waitMs > 0 ? Math.ceil(waitMs) : null;
    },
    started({ agent }) {
      running.set(agent.name, (running.get(agent.name) ?? 0) + 1);
      const perMinute = agent.limits.requestsPerMinute;
      if (perMinute !== null) bucketOf(agent.name, perMinute).tokens -= 1;
    },
    ended({ agent }, calls) {
      running.set(agent.name, Math.max(0, (running.get(agent.name) ?? 0) - 1));
      const perMinute = agent.limits.requestsPerMinute;
      if (perMinute !== null) bucketOf(agent.name, perMinute).tokens -= Math.max(0, calls - 1);
    },
  };
}
