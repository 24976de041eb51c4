/**
 * 128-bit ids (jobs, sessions, brokers): 16 bytes on the wire, 26 characters of lower-case
 * Crockford base32 everywhere else, most significant bits first, the last character padded with
 * zero bits. Any prefix of the text is a prefix of the bits, so short ids are prefixes.
 */

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
export const idBytes = 16;
export const idTextLength = 26;
/** Length of the short id that people see and type: 60 bits. */
export const shortIdLength = 12;

const charCodes = Uint8Array.from(alphabet, (character) => character.charCodeAt(0));
/** The text being made. One string of it is cheaper than 26 that are joined: ids are made often. */
const textCodes = Array.from<number>({ length: idTextLength }).fill(0);

const valueOf = new Uint8Array(128).fill(255);
for (let value = 0; value < alphabet.length; value++) {
  valueOf[alphabet.charCodeAt(value)] = value;
}

/** The text of the 16 bytes at `offset`. */
export function idToText(bytes: Uint8Array, offset = 0): string {
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let index = 0; index < idBytes; index++) {
    held = (held << 8) | (bytes[offset + index] ?? 0);
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      textCodes[at++] = charCodes[(held >>> bits) & 31] ?? 0;
    }
    held &= (1 << bits) - 1;
  }
  textCodes[at] = charCodes[(held << (5 - bits)) & 31] ?? 0;
  return String.fromCharCode.apply(null, textCodes);
}

/**
 * Writes the 16 bytes of an id's text at `offset`.
 * @throws RangeError when the text is no id; some of the bytes may be written then
 */
export function idFromText(text: string, into: Uint8Array, offset = 0): void {
  let bits = 0;
  let held = 0;
  let at = offset;
  let isWrong = text.length !== idTextLength;
  for (let index = 0; index < idTextLength && !isWrong; index++) {
    const value = valueAt(text, index);
    isWrong = value === 255;
    held = (held << 5) | value;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      into[at++] = (held >>> bits) & 255;
      held &= (1 << bits) - 1;
    }
  }
  // What is left of the last character is padding.
  if (isWrong || held !== 0)
    throw new RangeError(`not an id: ${JSON.stringify(text.slice(0, 40))}`);
}

/** True for the canonical text of an id: length, alphabet and zero padding. */
export function isId(text: string): boolean {
  return text.length === idTextLength && isIdPrefix(text) && (valueAt(text, 25) & 3) === 0;
}

/** True when some id could begin with this text. */
export function isIdPrefix(text: string): boolean {
  if (text.length > idTextLength) return false;
  for (let index = 0; index < text.length; index++) {
    if (valueAt(text, index) === 255) return false;
  }
  return true;
}

function valueAt(text: string, index: number): number {
  return valueOf[text.charCodeAt(index)] ?? 255;
}

/** The first characters of an id, as people see it. */
export function shortId(id: string): string {
  return id.slice(0, shortIdLength);
}
