/** All attacks, by name. */

import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { Attack } from './attack.ts';
import { attacksOfAnswers } from './attacks-of-answers.ts';
import { attacksOfNoise } from './attacks-of-noise.ts';
import { attacksOfPlaces } from './attacks-of-places.ts';

export const attacks: readonly Attack[] = [
  ...attacksOfAnswers,
  ...attacksOfPlaces,
  ...attacksOfNoise,
];

/** @throws Error when there is no attack of this name */
export function attackOf(name: string): Attack {
  const found = attacks.find((attack) => attack.name === name);
  if (found === undefined) throw new Error(`no attack is called ${name}`);
  return found;
}

const sliceMs = 10;

/** Takes this share of one processor (1 is all of it) and speaks to nobody. */
export async function burn(share: number, isOver: () => boolean): Promise<void> {
  for (let owedMs = 0; !isOver(); ) {
    owedMs += sliceMs * Math.min(share, 1);
    const startMs = performance.now();
    while (performance.now() - startMs < owedMs) Math.sqrt(startMs);
    const tookMs = performance.now() - startMs;
    owedMs -= tookMs;
    if (tookMs < sliceMs) await sleep(sliceMs - tookMs);
    else await turn();
  }
}
