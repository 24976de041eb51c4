/** Closes what a test opened when the test is over, whether it passed or not: the last one first. */

import { onTestFinished } from 'vitest';

export function closeAfterTest(...opened: readonly { close(): Promise<unknown> }[]): void {
  for (const one of opened) onTestFinished(async () => void (await one.close()));
}
