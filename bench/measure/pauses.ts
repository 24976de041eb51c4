/**
 * How long the machine stood still: a sleeper that wakes late was not let run. Virtual machines are
 * paused without a trace in the steal time, and figures that were taken meanwhile mean little.
 */

const sampleMs = 10;

export interface PauseWatch {
  /** Share of the time since the lap before that the sleeper was late, 0 to 1. */
  lap(): number;
  stop(): void;
}

/** Starts sleeping. The process that asks should do nothing else meanwhile. */
export function watchPauses(): PauseWatch {
  let lateMs = 0;
  let sampledAtMs = performance.now();
  let lapAtMs = sampledAtMs;
  const timer = setInterval(() => {
    const nowMs = performance.now();
    const overMs = nowMs - sampledAtMs - sampleMs;
    // A timer is late by a millisecond or two on an idle machine, too.
    if (overMs > sampleMs) lateMs += overMs;
    sampledAtMs = nowMs;
  }, sampleMs);
  return {
    lap() {
      const nowMs = performance.now();
      const share = lateMs / (nowMs - lapAtMs);
      lateMs = 0;
      lapAtMs = nowMs;
      return share;
    },
    stop: () => clearInterval(timer),
  };
}
