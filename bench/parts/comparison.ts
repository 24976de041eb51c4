/** Runs parts: peer after peer, again and again, so that whatever the machine does meets all of them. */

import { watchPauses } from '../measure/pauses.ts';
import type { PartResult } from '../report/results.ts';
import type { Peer } from '../server/peer.ts';
import type { Part, Sample, Work } from './part.ts';
import type { Scene, Settings } from './scene.ts';

interface Taken {
  /** Null when it failed. */
  readonly sample: Sample | null;
  readonly paused: number;
}

export class Comparison {
  readonly #scenes: readonly Scene[];
  readonly #repetitions: number;
  /** Parts that show figures of one work share its samples. */
  readonly #samples = new Map<Work, Map<string, Taken[]>>();
  readonly #pauses = watchPauses();
  #failures = 0;

  constructor(
    peers: readonly Peer[],
    options: { readonly settings: Settings; readonly repetitions: number },
  ) {
    const { settings, repetitions } = options;
    this.#scenes = peers.map((peer) => ({ peer, settings, memory: new Map() }));
    this.#repetitions = repetitions;
  }

  /** Samples that could not be taken. */
  get failures(): number {
    return this.#failures;
  }

  /** `onPart` gets each part as soon as it is complete. */
  async run(parts: readonly Part[], onPart: (part: PartResult) => void): Promise<PartResult[]> {
    const results: PartResult[] = [];
    for (const part of parts) {
      if (!this.#samples.has(part.work)) await this.#measure(part);
      const result = this.#resultOf(part);
      onPart(result);
      results.push(result);
    }
    this.#pauses.stop();
    return results;
  }

  async #measure(part: Part): Promise<void> {
    const taken = new Map<string, Taken[]>();
    this.#samples.set(part.work, taken);
    const times = part.repeats === 'once' ? 1 : this.#repetitions;
    for (let repetition = 0; repetition < times; repetition++) {
      for (const scene of this.#scenes) {
        const { name } = scene.peer;
        const isLeftOut =
          name !== 'aiq' && (part.isOwn === true || (part.repeats === 'aiq' && repetition > 0));
        if (isLeftOut) continue;
        taken.set(name, [...(taken.get(name) ?? []), await this.#take(part, scene)]);
      }
    }
  }

  async #take(part: Part, scene: Scene): Promise<Taken> {
    this.#pauses.lap();
    try {
      const sample = await part.work(scene);
      return { sample, paused: this.#pauses.lap() };
    } catch (error) {
      this.#failures += 1;
      process.stderr.write(
        `error: ${part.name} of ${scene.peer.title}: ${(error as Error).message}\n`,
      );
      return { sample: null, paused: this.#pauses.lap() };
    }
  }

  #resultOf({ name, title, work, figures }: Part): PartResult {
    const samples = [...(this.#samples.get(work) ?? [])];
    return {
      name,
      title,
      figures: figures.map((figure) => ({
        ...figure,
        series: samples.map(([peer, taken]) => ({
          peer,
          values: taken.map(({ sample }) => finite(sample?.[figure.key])),
          paused: taken.map(({ paused }) => paused),
        })),
      })),
    };
  }
}

/** A window without jobs has no figure. */
function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}
