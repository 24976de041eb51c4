/** What a tool returned as text for the model, never longer than one result may be. */

/** The outcome of one call of a tool, as the model gets it. */
export interface ToolResult {
  readonly ok: boolean;
  readonly text: string;
}

const resultBytesMax = 32 * 1024;

/** @throws TypeError when there is no value, or it cannot be written as JSON */
export function resultText(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) as string | undefined);
  if (text === undefined) throw new TypeError('the tool returned nothing');
  const bytes = Buffer.byteLength(text);
  if (bytes <= resultBytesMax) return text;
  // A character that was cut in half at the end goes as a whole.
  const start = new TextDecoder().decode(Buffer.from(text).subarray(0, resultBytesMax));
  return `${start.replace(/\uFFFD$/, '')}\n[cut here: ${bytes} bytes in all]`;
}

/** The beginning of a text, with a mark when there is more. */
export function shortened(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : `${text.slice(0, charsMax)}…`;
}
