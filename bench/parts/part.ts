/** What a comparison consists of: parts, each one work and the figures of it that are shown. */

import type { Scene } from './scene.ts';

/** Figures of one repetition, by key. */
export type Sample = Readonly<Record<string, number>>;

/** One measurement of one peer. */
export type Work = (scene: Scene) => Promise<Sample>;

export interface Figure {
  readonly key: string;
  /** With its unit. */
  readonly title: string;
  readonly digits: number;
  readonly better: 'more' | 'less';
}

export interface Part {
  readonly name: string;
  /** What is done, a sentence for a reader. */
  readonly title: string;
  readonly work: Work;
  readonly figures: readonly Figure[];
  /**
   * `all`: every peer in every repetition. `aiq`: aiq in every repetition, its peers in the first
   * alone. `once`: every peer in the first alone.
   */
  readonly repeats: 'all' | 'aiq' | 'once';
  /** About aiq alone. */
  readonly isOwn?: boolean;
  /** A target hangs on it. */
  readonly isTarget: boolean;
}
