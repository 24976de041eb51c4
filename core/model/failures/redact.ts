/** Makes text from a server fit to print: no keys, no control characters, one line, bounded. */

const textCharsMax = 400;

/** Shapes of secrets that servers echo in their errors, besides the configured key itself. */
const secretShapes = [
  /\bBearer\s+[\w.~+/=-]{6,}/gi,
  /\b(?:sk|pk|rk)[-_][\w*-]{6,}/gi,
  /\bapi[-_ ]?key["']?\s*[:=]\s*["']?[\w.~+/=*-]{6,}/gi,
];

/** Replaces every known secret and everything that has the shape of one. */
export function redactSecrets(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) {
    // A key of a few characters is a placeholder such as `none`: replacing it would garble the text.
    if (secret.length < 6) continue;
    for (const form of [secret, encodeURIComponent(secret), toBase64(secret)]) {
      clean = clean.replaceAll(form, '[key]');
    }
  }
  for (const shape of secretShapes) clean = clean.replace(shape, '[key]');
  return clean;
}

/** One printable line of at most 400 characters: markup, control characters and secrets removed. */
export function printable(text: string, secrets: readonly string[]): string {
  // Cut before the patterns run, so that a server cannot buy time with megabytes of error text;
  // redacted before the final cut, so that no half of a key is left over.
  const markupFree = text
    .slice(0, 20 * textCharsMax)
    .replace(/<(script|style)\b[^>]*>[^]*?<\/\1>/gi, ' ')
    .replace(/<[^<>]{0,300}>/g, ' ');
  const line = redactSecrets(markupFree, secrets)
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim();
  return line.length > textCharsMax ? `${line.slice(0, textCharsMax)}…` : line;
}

function toBase64(text: string): string {
  return Buffer.from(text).toString('base64');
}
