/** Words for people: the nearest known word for a mistyped one, and values cut to a readable length. */

const distanceMax = 3;
const similarityMin = 0.4;

/** The candidate that was probably meant, or null when none is near enough. */
export function didYouMean(word: string, candidates: Iterable<string>): string | null {
  let best: string | null = null;
  let bestDistance = distanceMax + 1;
  const wanted = word.slice(0, 64).toLowerCase();
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase());
    const similarity = 1 - distance / Math.max(wanted.length, candidate.length, 1);
    if (distance < bestDistance && similarity > similarityMin) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** A sentence to append, with the space in front: ` Did you mean style?`, or nothing. */
export function suggestion(word: string, candidates: Iterable<string>): string {
  const meant = didYouMean(word, candidates);
  return meant === null ? '' : ` Did you mean ${meant}?`;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one word into the other. */
function editDistance(from: string, to: string): number {
  if (Math.abs(from.length - to.length) > distanceMax) return distanceMax + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && swapped) {
        cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length] ?? 0;
}

const shownCharactersMax = 60;

/** A value as JSON, cut to a length that fits a message. */
export function shorten(value: unknown): string {
  // Cutting before quoting keeps the cost bounded for a value of a megabyte.
  const head = typeof value === 'string' ? value.slice(0, shownCharactersMax * 2) : value;
  const text = head === undefined ? 'nothing' : JSON.stringify(head);
  return text.length > shownCharactersMax ? `${text.slice(0, shownCharactersMax - 1)}…` : text;
}

/** `a, b, c`, cut after a dozen. */
export function listOf(words: readonly string[]): string {
  const shownMax = 12;
  if (words.length <= shownMax) return words.join(', ');
  return `${words.slice(0, shownMax).join(', ')} and ${words.length - shownMax} more`;
}
