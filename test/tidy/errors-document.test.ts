/** Holds `docs/reference/errors.md` against the tables of wire codes and exit codes: a section each. */

import { expect, test } from 'vitest';
import { exitOfErrorCode } from '../../core/cli/errors.ts';
import { exitCode, exitCodes } from '../../core/cli/exit-codes.ts';
import { type ErrorCode, errorCodes } from '../../core/protocol/error-codes.ts';
import { errorScopes } from '../../core/protocol/error-scopes.ts';
import { section } from './rules/markdown.ts';
import { readText } from './rules/repository.ts';

const document = readText('docs/reference/errors.md');

/** Headings, first paragraph and the rest of each section of the third level below a heading. */
function entriesOf(heading: string): { title: string; first: string; advice: string }[] {
  return section(document, heading)
    .split(/^### /m)
    .slice(1)
    .map((text) => {
      const [title = '', first = '', ...rest] = text.trim().split('\n\n');
      return { title, first, advice: rest.join('\n\n') };
    });
}

function wireEntry(code: ErrorCode): { title: string; first: string } {
  const { number, retryable, meaning } = errorCodes[code];
  const scopes = Object.entries(errorScopes)
    .filter(([, codes]) => (codes as readonly ErrorCode[]).includes(code))
    .map(([scope]) => scope);
  const where = scopes.length === 0 ? 'raised by the client' : `answers: ${scopes.join(', ')}`;
  const exit = `exit code ${exitCode(exitOfErrorCode(code))}`;
  const kind = retryable ? 'retryable' : 'not retryable';
  return { title: code, first: `Code ${number} · ${kind} · ${where} · ${exit}. ${meaning}` };
}

test('docs/reference/errors.md has a section for every wire code as the tables have it, in order', () => {
  const expected = (Object.keys(errorCodes) as ErrorCode[]).map(wireEntry);
  expect(entriesOf('## Wire codes').map(({ title, first }) => ({ title, first }))).toEqual(
    expected,
  );
});

test('docs/reference/errors.md has a section for every exit code, in order', () => {
  const expected = Object.entries(exitCodes).map(([name, { code, meaning }]) => ({
    title: `Exit code ${code}`,
    first: `Name: ${name}. ${meaning}`,
  }));
  expect(entriesOf('## Exit codes').map(({ title, first }) => ({ title, first }))).toEqual(
    expected,
  );
});

test('docs/reference/errors.md says for every code what to do', () => {
  const entries = [...entriesOf('## Wire codes'), ...entriesOf('## Exit codes')];
  expect(entries.filter(({ advice }) => advice.length < 8).map(({ title }) => title)).toEqual([]);
});
