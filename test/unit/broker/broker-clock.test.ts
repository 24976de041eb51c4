/** Time as the broker counts it: what it missed, what was set, and what really passed. */

import { describe, expect, test } from 'vitest';
import {
  BrokerClock,
  type ClockSource,
  type KeptClock,
  stepMsMaxOf,
} from '../../../core/broker/broker-clock.ts';
import { SteadyTime } from '../../../core/broker/steady-time.ts';

const stepMsMax = 250;
const yearMs = 365 * 86_400_000;

/** A machine whose clocks the test moves. */
class Machine {
  monotonicMs = 5_000;
  systemMs = 1_700_000_000_000;
  uptimeMs = 9_000;
  readonly notices: string[] = [];

  clock(kept: KeptClock | null = null): BrokerClock {
    const source: ClockSource = {
      monotonicMs: () => this.monotonicMs,
      wallMs: () => this.systemMs,
      uptimeMs: () => this.uptimeMs,
    };
    return new BrokerClock({
      source,
      kept,
      stepMsMax,
      onNotice: (text) => this.notices.push(text),
    });
  }

  pass(ms: number): void {
    this.monotonicMs += ms;
    this.sleep(ms);
  }

  sleep(ms: number): void {
    this.systemMs += ms;
    this.uptimeMs += ms;
  }
}

/** Lets time pass while somebody looks at the clock often enough. */
function look(clock: BrokerClock, machine: Machine, ms: number): void {
  for (let left = ms; left > 0; left -= 100) {
    machine.pass(Math.min(100, left));
    clock.now();
  }
}

describe('steady time', () => {
  function timeOf(steps: readonly number[]): number[] {
    let realMs = 1_000;
    const time = new SteadyTime(() => realMs, stepMsMax);
    return steps.map((step) => {
      realMs += step;
      return time.now() - 1_000;
    });
  }

  test('goes by what passes between looks', () => {
    expect(timeOf([0, 100, 250, 1])).toEqual([0, 100, 350, 351]);
  });

  test('a pause of any length counts nothing', () => {
    expect(timeOf([100, 251])).toEqual([100, 100]);
    expect(timeOf([100, yearMs])).toEqual([100, 100]);
  });

  test('stands until what came meanwhile could be read, however often it is looked at', () => {
    expect(timeOf([100, 5_000, 1, 1, 100, 147, 1, 1, 100])).toEqual([
      100, 100, 100, 100, 100, 100, 100, 101, 201,
    ]);
  });

  test('who misses time again and again comes on in bounded steps', () => {
    const times = timeOf(Array.from({ length: 11 }, () => 3_000));
    expect(times[0]).toBe(0);
    expect(times.at(-1)).toBe(10 * stepMsMax);
  });

  test('stands for as long as it is told to, and no longer', () => {
    let realMs = 0;
    const time = new SteadyTime(() => realMs, stepMsMax);
    const passing = (ms: number): number => {
      for (let left = ms; left > 0; left -= 100) {
        realMs += Math.min(left, 100);
        time.now();
      }
      return time.now();
    };
    time.pauseFor(1_000);
    expect(passing(1_100)).toBe(100);
    time.pauseFor(10_000);
    expect(passing(500)).toBe(100);
    time.pauseFor(300);
    expect(passing(400)).toBe(200);
  });

  test('a short lease has shorter steps: no single one takes more than a quarter of it', () => {
    expect([200, 1_000, 30_000].map(stepMsMaxOf)).toEqual([50, 250, 250]);
  });
});

describe('the wall clock of the broker', () => {
  test('is the system’s while nobody sets that', () => {
    const machine = new Machine();
    const clock = machine.clock();
    look(clock, machine, 10_000);
    machine.pass(3_600_000);
    const { wallMs, systemMs } = clock.now();
    expect(wallMs).toBe(machine.systemMs);
    expect(systemMs).toBe(machine.systemMs);
    expect(machine.notices).toEqual([]);
  });

  test.each([yearMs, -yearMs, 3_600_000, -86_400_000])(
    'goes by what passed when the system’s is set by %d ms, and says so once',
    (jumpMs) => {
      const machine = new Machine();
      const clock = machine.clock();
      const before = clock.now().wallMs;
      machine.systemMs += jumpMs;
      look(clock, machine, 60_000);
      const now = clock.now();
      expect(Math.abs(now.wallMs - before - 60_000)).toBeLessThanOrEqual(600);
      expect(now.systemMs).toBe(machine.systemMs);
      expect(machine.notices).toHaveLength(1);
      expect(machine.notices[0]).toContain(jumpMs > 0 ? 'set ahead by' : 'set back by');
    },
  );

  test('comes back to the system’s by one part in a hundred, and then stays with it', () => {
    const machine = new Machine();
    const clock = machine.clock();
    machine.systemMs += 1_000;
    look(clock, machine, 50_000);
    expect(machine.systemMs - clock.now().wallMs).toBeCloseTo(500, -1);
    look(clock, machine, 100_000);
    expect(clock.now().wallMs).toBe(machine.systemMs);
    expect(machine.notices).toEqual([]);
  });

  test('goes back never, however the system’s is set', () => {
    const machine = new Machine();
    const clock = machine.clock();
    let before = clock.now().wallMs;
    for (const jumpMs of [-yearMs, 5, -7_000, yearMs, -2 * yearMs]) {
      machine.systemMs += jumpMs;
      machine.pass(1);
      const { wallMs } = clock.now();
      expect(wallMs).toBeGreaterThanOrEqual(before);
      before = wallMs;
    }
  });

  test('counts the sleep of the machine, which is no jump', () => {
    const machine = new Machine();
    const clock = machine.clock();
    const before = clock.now();
    machine.sleep(8 * 3_600_000);
    machine.pass(10);
    const after = clock.now();
    expect(after.wallMs).toBe(machine.systemMs);
    expect(after.monotonicMs - before.monotonicMs).toBe(10);
    expect(machine.notices).toEqual([]);
    // A jump behind it is one still, and a second sleep is told apart from the first.
    machine.systemMs += yearMs;
    clock.now();
    machine.sleep(60_000);
    const sleptMs = clock.now().wallMs - after.wallMs;
    expect(Math.abs(sleptMs - 60_000)).toBeLessThanOrEqual(600);
    expect(machine.notices).toHaveLength(1);
  });

  test('counts a sleep in which the clock was set back, too', () => {
    const machine = new Machine();
    const clock = machine.clock();
    const before = clock.now();
    machine.sleep(60_000);
    machine.systemMs -= yearMs;
    expect(clock.now().wallMs - before.wallMs).toBeGreaterThanOrEqual(59_400);
    expect(machine.notices).toEqual([expect.stringContaining('set back by 365 days')]);
  });

  test('goes on from the newest time of the log when the system’s lies before it', () => {
    const machine = new Machine();
    const newestMs = machine.systemMs + yearMs;
    const clock = machine.clock();
    clock.startAfter(newestMs);
    machine.pass(1_000);
    const { wallMs, systemMs } = clock.now();
    expect(wallMs - newestMs).toBeGreaterThanOrEqual(990);
    expect(wallMs - newestMs).toBeLessThanOrEqual(1_000);
    expect(systemMs).toBe(machine.systemMs);
    expect(machine.notices).toEqual([expect.stringContaining('365 days before the newest time')]);
  });

  test('takes the system’s over at a start whose log is older, without a word', () => {
    const machine = new Machine();
    const clock = machine.clock();
    clock.startAfter(machine.systemMs - yearMs);
    expect(clock.now().wallMs).toBe(machine.systemMs);
    expect(machine.notices).toEqual([]);
  });

  test.each([yearMs, -yearMs])(
    'goes on by what passed at a start before which the system’s was set by %d ms, and says so',
    (jumpMs) => {
      const machine = new Machine();
      const { kept } = machine.clock();
      machine.pass(3_600_000);
      machine.systemMs += jumpMs;
      const clock = machine.clock(kept);
      expect(clock.now()).toMatchObject({
        wallMs: kept.wallMs + 3_600_000,
        systemMs: machine.systemMs,
      });
      expect(machine.notices).toEqual([expect.stringContaining('365 days')]);
      expect(clock.kept.wallMs).toBe(kept.wallMs + 3_600_000);
    },
  );

  test.each([86_400_000, -86_400_000])(
    'takes the system’s over at a start that finds it %d ms off, as after a guest was suspended',
    (jumpMs) => {
      const machine = new Machine();
      const { kept } = machine.clock();
      machine.systemMs += jumpMs;
      expect(machine.clock(kept).now().wallMs).toBe(machine.systemMs);
      expect(machine.notices).toEqual([]);
    },
  );
});
