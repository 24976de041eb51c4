/** Every choice of a simulation comes from one seeded generator, asked in a fixed order. */

import { randomOf } from '../support/random.ts';

export class Dice {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomOf(seed);
  }

  /** From 0 up to, not including, 1. */
  next(): number {
    return this.#random();
  }

  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  /** A whole number from 0 up to, not including, `count`. */
  below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  /** A whole number, both bounds included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** @throws Error when there is nothing to pick from */
  pick<T>(from: readonly T[]): T {
    const one = from[this.below(from.length)];
    if (one === undefined) throw new Error('nothing to pick from');
    return one;
  }

  /** One of the names, as often as its weight says; null when all weights are 0. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K | null {
    let total = 0;
    for (const name in weights) total += weights[name];
    let at = this.#random() * total;
    for (const name in weights) {
      at -= weights[name];
      if (at < 0) return name;
    }
    return null;
  }
}
