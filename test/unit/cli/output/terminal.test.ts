/** What a terminal is shown of texts that nobody trusts. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { visible } from '../../../../core/cli/output/terminal.ts';

test.each([
  ['a title', '\u001b]0;owned\u0007', '\\x1b]0;owned\\x07'],
  ['a colour', '\u001b[31mred', '\\x1b[31mred'],
  ['a C1 introducer', '\u009b2J', '\\x9b2J'],
  ['a faked line', 'safe\rdanger', 'safe\\x0ddanger'],
  ['text turned round', 'a\u202eb', 'a\\x202eb'],
  ['backspaces', 'rm\b\bls', 'rm\\x08\\x08ls'],
])('%s is written out', (_, text, shown) => {
  expect(visible(text)).toBe(shown);
});

test('lines, tabs, line ends of Windows and every other letter stay as they are', () => {
  const text = 'Ünïcode 漢字 😀\tcolumn\r\nnext\n';
  expect(visible(text)).toBe(text);
});

test('whatever a text holds, nothing is left that a terminal obeys', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(visible(text)).not.toMatch(/[^\P{Cc}\n\t\r]/u);
      expect(visible(text)).not.toMatch(/\r(?!\n)/);
    }),
  );
});
