/**
 * Listens to the broker's core from outside: every call with its time and what came of it. The core
 * has no hook for this; the simulator lays its own methods around those of the class.
 */

import type { Now } from '../../core/broker/events.ts';
import type { CoreEvent, Effect } from '../../core/broker/state-machine/context/effects.ts';
import { QueueMachine } from '../../core/broker/state-machine/machine.ts';

export interface Listener {
  /** Replay ended: the core begins to work on what the log holds up to `offset`. */
  onStart(offset: number, now: Now, effects: readonly Effect[]): void;
  onDecided(events: readonly CoreEvent[], now: Now, effects: readonly Effect[]): void;
}

let listener: Listener | null = null;

/** From here on this listener hears everything; one simulation runs at a time. */
export function listenTo(next: Listener | null): void {
  listener = next;
}

const { prototype } = QueueMachine;
type Method<N extends 'start' | 'handle' | 'tick'> = (
  ...args: Parameters<QueueMachine[N]>
) => Effect[];
const start = own('start');
const handle = own('handle');
const tick = own('tick');
/** `handle` may end with a `tick` of its own: that is one call. */
let depth = 0;

/** Events come one by one, as the core takes them. */
function* noting(events: Iterable<CoreEvent>, taken: CoreEvent[]): Generator<CoreEvent> {
  for (const event of events) {
    taken.push(event);
    yield event;
  }
}

function told(events: readonly CoreEvent[], now: Now, call: () => Effect[]): Effect[] {
  depth++;
  try {
    const effects = call();
    if (depth === 1) listener?.onDecided(events, now, effects);
    return effects;
  } finally {
    depth--;
  }
}

prototype.handle = function (this: QueueMachine, events, now) {
  const taken: CoreEvent[] = [];
  return told(taken, now, () => handle(this, noting(events, taken), now));
};

prototype.tick = function (this: QueueMachine, now) {
  return told([], now, () => tick(this, now));
};

prototype.start = function (this: QueueMachine, now, offset) {
  depth++;
  try {
    const effects = start(this, now, offset);
    listener?.onStart(offset, now, effects);
    return effects;
  } finally {
    depth--;
  }
};

/** The class's own method, to be called on a machine that is given first. */
function own<N extends 'start' | 'handle' | 'tick'>(
  name: N,
): (machine: QueueMachine, ...args: Parameters<QueueMachine[N]>) => Effect[] {
  const method = prototype[name] as Method<N>;
  return (machine, ...args) => method.apply(machine, args);
}
