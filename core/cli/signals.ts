/** SIGINT and SIGTERM in long-running commands: the first stops gracefully, the second at once. */

import type { ExitName } from './exit-codes.ts';

export type StopSignal = 'SIGINT' | 'SIGTERM';

/** Exit name of a command that a signal stopped. */
export function exitOfSignal(signal: StopSignal): ExitName {
  return signal === 'SIGINT' ? 'interrupted' : 'terminated';
}

const stopSignals: readonly StopSignal[] = ['SIGINT', 'SIGTERM'];

/**
 * Calls `first` for the first signal and `second` for every later one.
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
