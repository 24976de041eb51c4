/** Holds `docs/reference/cli.md` against the table of exit codes. */

import { expect, test } from 'vitest';
import { exitCodes } from '../../core/cli/exit-codes.ts';
import { section, tableRows } from './rules/markdown.ts';
import { readText } from './rules/repository.ts';

test('docs/reference/cli.md lists every exit code with its meaning, and no other', () => {
  const expected = Object.values(exitCodes).map(({ code, meaning }) => [String(code), meaning]);
  expect(tableRows(section(readText('docs/reference/cli.md'), '## Exit codes'))).toEqual(expected);
});
