/** Ids: 16 bytes and 26 characters are the same thing, in the same order, with one spelling each. */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  idBytes,
  idFromText,
  idTextLength,
  idToText,
  isId,
  isIdPrefix,
  shortId,
} from '../../../core/protocol/index.ts';

const idOfBytes = fc.uint8Array({ minLength: idBytes, maxLength: idBytes });

function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(idBytes);
  idFromText(text, bytes);
  return bytes;
}

describe('an id', () => {
  it('comes back from its text, which has one spelling', () => {
    fc.assert(
      fc.property(idOfBytes, (bytes) => {
        const text = idToText(bytes);
        expect(text).toHaveLength(idTextLength);
        expect(isId(text)).toBe(true);
        expect(bytesOf(text)).toEqual(bytes);
      }),
    );
  });

  it('sorts as text the way its bytes sort', () => {
    fc.assert(
      fc.property(idOfBytes, idOfBytes, (left, right) => {
        const byText =
          idToText(left) < idToText(right) ? -1 : idToText(left) > idToText(right) ? 1 : 0;
        expect(byText).toBe(Buffer.compare(left, right));
      }),
    );
  });

  it('has a text that is pinned', () => {
    expect(idToText(new Uint8Array(16))).toBe('0'.repeat(26));
    expect(idToText(new Uint8Array(16).fill(255))).toBe(`${'z'.repeat(25)}w`);
    expect(idToText(Uint8Array.of(9, 9, ...new Uint8Array(16).fill(255)), 2)).toMatch(/^z/);
    expect(shortId('0123456789abcdefghjkmnpqr0')).toBe('0123456789ab');
  });

  it.each([
    ['too short', '0'.repeat(25)],
    ['too long', '0'.repeat(27)],
    ['in capitals', 'A'.repeat(26)],
    ['with a letter that the alphabet leaves out', 'l'.repeat(26)],
    ['beyond ASCII', `${'0'.repeat(25)}\u{1f00}`],
    ['with bits after the last byte', `${'0'.repeat(25)}1`],
  ])('is none when it is %s', (_, text) => {
    expect(isId(text)).toBe(false);
    expect(() => bytesOf(text)).toThrow(RangeError);
  });

  it('has every beginning as a prefix, and nothing else', () => {
    const text = '0123456789abcdefghjkmnpqr0';
    for (let length = 0; length <= text.length; length++) {
      expect(isIdPrefix(text.slice(0, length))).toBe(true);
    }
    for (const none of [`${text}0`, 'U', 'i', '-']) expect(isIdPrefix(none)).toBe(false);
  });
});
