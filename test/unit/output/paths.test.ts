/** Which output paths are refused, and why: every rule with names that break it. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OutputError } from '../../../core/output/output.ts';
import { checkPath, checkPaths, folded, numbered } from '../../../core/output/paths.ts';

const refused: readonly [path: string, why: RegExp][] = [
  ['', /is empty/],
  ['/etc/passwd', /is absolute/],
  ['..', /leaves the output folder/],
  ['a/../../b', /leaves the output folder/],
  ['a//b', /empty part/],
  ['a/', /empty part/],
  ['./a', /begins with a dot/],
  ['.aiq/commit/x', /begins with a dot/],
  ['a/.hidden', /begins with a dot/],
  ['name.', /dot or space at its edge/],
  ['name ', /dot or space at its edge/],
  [' name', /dot or space at its edge/],
  ['a\0b', /control character/],
  ['a\nb', /control character/],
  ['a\u001b[31mb', /control character/],
  ['invoice\u202efdp.exe', /control character/],
  ['a\\..\\b', /backslash/],
  ['C:evil', /colon/],
  ['con', /Windows reserves/],
  ['x/NUL.txt', /Windows reserves/],
  ['com¹.md', /Windows reserves/],
  ['Lpt9', /Windows reserves/],
  ['aux .md', /Windows reserves/],
  ['é'.repeat(101), /more than 200 bytes/],
  [Array.from({ length: 33 }, () => 'a').join('/'), /more than 32 parts/],
  [Array.from({ length: 6 }, () => 'b'.repeat(190)).join('/'), /more than 1024 bytes/],
  ['a\ud800b', /not valid Unicode/],
];

describe('checkPath', () => {
  it.each(refused)('refuses %j', (path, why) => {
    expect(() => checkPath(path)).toThrow(why);
    expect(() => checkPath(path)).toThrow(OutputError);
  });

  it.each([
    'a.md',
    'summaries/the mill – 1901.md',
    'a/b/c/d.json',
    'consul.md',
    'communication.txt',
    'é'.repeat(100),
    'überblick/日本語.md',
    'e\u0301.md',
  ])('accepts %j', (path) => {
    expect(checkPath(path)).toBe(path.normalize('NFC'));
  });

  it('never lets a path through that resolves outside the folder it is joined to', () => {
    const part = fc.oneof(
      fc.constantFrom('..', '.', '', '.aiq', 'a', '\\..', '/', '%2e%2e', '․․'),
      fc.string({ unit: 'binary', maxLength: 6 }),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        let path: string;
        try {
          path = checkPath(parts.join('/'));
        } catch (error) {
          return error instanceof OutputError && error.code === 'path_invalid';
        }
        const resolved = new URL(encodeURI(path).replaceAll('?', '%3F'), 'file:///root/out/')
          .pathname;
        return resolved.startsWith('/root/out/') && !resolved.startsWith('/root/out/.aiq');
      }),
      { numRuns: 500 },
    );
  });
});

describe('checkPaths', () => {
  it.each([
    [['A.md', 'a.md'], /appears twice/],
    [['straße.md', 'STRASSE.md'], /appears twice/],
    [['é.md', 'e\u0301.md'], /appears twice/],
    [['a', 'A/b.md'], /needs a folder/],
    [[], /no files/],
  ])('refuses the set %j', (paths, why) => {
    expect(() => checkPaths(paths)).toThrow(why);
  });

  it('refuses more files than one result may have', () => {
    const paths = Array.from({ length: 1001 }, (_, index) => `f${index}`);
    expect(() => checkPaths(paths)).toThrow(/1001 files; 1000 are allowed/);
  });
});

describe('names', () => {
  it('numbers a name before its extension and never in a folder', () => {
    expect(numbered('a.b/notes.md', 2)).toBe('a.b/notes-2.md');
    expect(numbered('a.b/notes', 12)).toBe('a.b/notes-12');
    expect(numbered('archive.tar.gz', 3)).toBe('archive.tar-3.gz');
  });

  it('folds names that one file system or another takes for the same', () => {
    expect(folded('Straße')).toBe(folded('STRASSE'));
    expect(folded('a')).not.toBe(folded('b'));
  });
});
