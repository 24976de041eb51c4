/** Reading what was thrown, whatever that is. */

import { expect, it } from 'vitest';
import { asError, CodedError, codeOf, hasCode, messageOf } from '../../../core/base/index.ts';

class NoRoom extends CodedError<'full' | 'busy'> {}

it('names an error after its class and keeps code and cause', () => {
  const cause = new Error('disk');
  const error = new NoRoom('full', 'no room', { cause });
  expect(error).toMatchObject({ name: 'NoRoom', code: 'full', message: 'no room', cause });
});

it('finds codes of our own errors and of the system, and none in anything else', () => {
  const missing = Object.assign(new Error('gone'), { code: 'ENOENT' });
  expect(codeOf(missing)).toBe('ENOENT');
  expect(hasCode(new NoRoom('busy', ''), 'full', 'busy')).toBe(true);
  expect(hasCode(missing, 'EACCES')).toBe(false);
  expect([new Error('x'), { code: 'ENOENT' }, 'text', null].map(codeOf)).toEqual(['', '', '', '']);
});

it('makes a text of everything that can be thrown', () => {
  const silent = Object.create(null) as unknown;
  expect(messageOf(new Error('why'))).toBe('why');
  expect([undefined, 7, 'text'].map(messageOf)).toEqual(['undefined', '7', 'text']);
  expect(messageOf(silent)).toMatch(/cannot be shown/);
  expect(asError('text')).toMatchObject({ message: 'text' });
});
