/** Hashes as text: keys of maps, and what messages show. */

const pairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Length of a SHA-256 hash, in bytes. */
export const hashBytes = 32;

export function hexOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += pairs[byte];
  return text;
}
