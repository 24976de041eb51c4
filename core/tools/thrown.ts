/** What was thrown as text. Code that is not ours may throw anything, also what has no text. */

/** An error's message, anything else as a string; never throws. */
export function thrownText(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return 'something that cannot be shown was thrown';
  }
}
