/** What a comparison found, as plain data: printed, drawn and written as JSON. */

import { median } from '../measure/figures.ts';
import type { Figure } from '../parts/part.ts';

/** One figure of one peer, in the order of the repetitions; null where it could not be taken. */
export interface Series {
  readonly peer: string;
  readonly values: readonly (number | null)[];
  /** Share of the time that the machine stood still meanwhile, 0 to 1. */
  readonly paused: readonly number[];
}

export interface FigureResult extends Figure {
  readonly series: readonly Series[];
}

export interface PartResult {
  readonly name: string;
  readonly title: string;
  readonly figures: readonly FigureResult[];
}

export interface PeerInfo {
  readonly name: string;
  readonly title: string;
  readonly version: string;
  readonly isDurable: boolean;
  readonly settings: readonly string[];
  readonly packages: Readonly<Record<string, string>>;
  /** Sync calls for each acknowledged job, one job at a time and with 64 in flight; null when not counted. */
  readonly syncs: { readonly alone: number; readonly together: number } | null;
}

export interface Results {
  readonly machine: readonly string[];
  readonly peers: readonly PeerInfo[];
  readonly parts: readonly PartResult[];
}

/** The figures that were taken. */
export function taken({ values }: Pick<Series, 'values'>): number[] {
  return values.filter((value) => value !== null);
}

/** aiq's figure as a multiple of a peer's, repetition by repetition. */
export function pairs(aiq: Series, peer: Series): number[] {
  const ratios = aiq.values.map((value, at) => {
    const other = peer.values[at];
    return value === null || other === null || other === undefined ? null : value / other;
  });
  return ratios.filter((ratio) => ratio !== null);
}

export function seriesOf(
  results: Pick<Results, 'parts'>,
  part: string,
  key: string,
): readonly Series[] {
  const found = results.parts.find(({ name }) => name === part);
  return found?.figures.find((figure) => figure.key === key)?.series ?? [];
}

/** The one with the best median of those that are named. */
export function bestOf(series: readonly Series[], better: Figure['better']): Series | null {
  const sign = better === 'more' ? -1 : 1;
  const sorted = series
    .filter((one) => taken(one).length > 0)
    .toSorted((a, b) => sign * (median(taken(a)) - median(taken(b))));
  return sorted[0] ?? null;
}
