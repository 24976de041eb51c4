/**
 * When the rest of a batch waits for a person: too many of its jobs have failed. Without a rule of its own that
 * is where the first twenty that were tried have all failed of one cause: more of the same would only cost.
 */

export type StopRule =
  /** More failed jobs than that. */
  | { readonly by: 'count'; readonly failuresMax: number }
  /** More than that of those that were tried, once twenty were. */
  | { readonly by: 'percent'; readonly percentMax: number }
  /** Only where all have failed of one cause. */
  | { readonly by: 'default' }
  | { readonly by: 'never' };

/** Jobs of a batch since it began, or went on. */
export interface BatchOutcomes {
  /** Jobs that are done, or have failed an attempt. */
  readonly tried: number;
  /** Of those, the jobs that are not done: whether or not another attempt follows. */
  readonly failed: number;
  /** The cause of all failures; null where there are several, or none. */
  readonly cause: string | null;
}

const triedMin = 20;

/** Reads `failures > 5%`, `failures > 12`, `12`, `never`, or nothing; null for anything else. */
export function parseStopRule(text: string): StopRule | null {
  const trimmed = text.trim();
  if (trimmed === '') return { by: 'default' };
  if (trimmed === 'never') return { by: 'never' };
  const [, amount = '', unit] =
    /^(?:failures\s*>\s*)?(\d{1,9}(?:\.\d{1,6})?)\s*(%?)$/.exec(trimmed) ?? [];
  if (amount === '') return null;
  const value = Number(amount);
  if (unit === '%') return value < 100 ? { by: 'percent', percentMax: value } : null;
  return Number.isInteger(value) ? { by: 'count', failuresMax: value } : null;
}

/** Why the rest of the batch is to wait; null while it is not. */
export function stopReason(rule: StopRule, { tried, failed, cause }: BatchOutcomes): string | null {
  if (rule.by === 'never') return null;
  if (cause !== null && tried >= triedMin && failed === tried) {
    return `all ${failed} jobs that were tried failed: ${cause}`;
  }
  const of = cause === null ? '' : `: ${cause}`;
  if (rule.by === 'count' && failed > rule.failuresMax) {
    return `${failed} jobs failed, and more than ${rule.failuresMax} are too many${of}`;
  }
  const isMuch =
    rule.by === 'percent' && tried >= triedMin && failed * 100 > rule.percentMax * tried;
  if (!isMuch) return null;
  return `${failed} of ${tried} jobs that were tried failed, and more than ${rule.percentMax} % are too many${of}`;
}
