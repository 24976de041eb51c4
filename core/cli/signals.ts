/** SIGINT and SIGTERM in long-running commands: the first asks, the second insists. */

import type { ExitName } from './exit-codes.ts';

export type StopSignal = 'SIGINT' | 'SIGTERM';

/** How a command ends that a signal ended. */
export function exitOfSignal(signal: StopSignal): ExitName {
  return signal === 'SIGINT' ? 'interrupted' : 'terminated';
}

const stopSignals: readonly StopSignal[] = ['SIGINT', 'SIGTERM'];

/**
 * Calls `first` for the first signal and `second` for every later one, whichever they are.
 * @returns a function that restores the default behaviour
 */
export function onStopSignals(
  first: (signal: StopSignal) => void,
  second: (signal: StopSignal) => void,
): () => void {
  let count = 0;
  const listener = (signal: NodeJS.Signals): void => {
    count++;
    (count === 1 ? first : second)(signal as StopSignal);
  };
  for (const signal of stopSignals) process.on(signal, listener);
  return () => {
    for (const signal of stopSignals) process.off(signal, listener);
  };
}
