/** The line through points that fits them best. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** By how much `y` grows with one unit of `x`, by least squares; NaN for fewer than two points. */
export function slopeOf(points: readonly Point[]): number {
  const mean = (of: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean((point) => point.x), mean((point) => point.y)];
  return mean((point) => (point.x - x) * (point.y - y)) / mean((point) => (point.x - x) ** 2);
}
