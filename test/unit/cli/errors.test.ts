/** Errors of all layers as message and exit code. */

import { describe, expect, test } from 'vitest';
import { AgentError, BrokenAgentError, UnknownAgentError } from '../../../core/agent/index.ts';
import { MaintenanceError } from '../../../core/broker/index.ts';
import { CliError, formatReport, reportOf } from '../../../core/cli/errors.ts';
import { exitCode, exitCodes } from '../../../core/cli/exit-codes.ts';
import { AiqError, type ErrorCode, errorCodes } from '../../../core/job-queue/index.ts';
import { ModelError, ProviderError } from '../../../core/model/index.ts';
import { OutputError } from '../../../core/output/index.ts';

test('exit codes are all different and the documented ones', () => {
  const codes = Object.values(exitCodes).map(({ code }) => code);
  expect(new Set(codes).size).toBe(codes.length);
  expect(codes).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 65, 75, 77, 130, 143]);
});

const expected: [error: Error, code: number, text: RegExp][] = [
  [new UnknownAgentError('sumarize', ['summarize'], ['summarize']), 5, /Did you mean summarize/],
  [
    new BrokenAgentError('x', [{ file: 'a.yaml', line: 4, column: 2, message: 'bad' }]),
    3,
    /a\.yaml:4:2: bad/,
  ],
  [
    new AgentError('input_invalid', 'no fit', { problems: [{ property: 'p', message: 'is bad' }] }),
    3,
    /p {2}is bad/,
  ],
  [
    new ModelError('misconfigured', 'unauthorized', 'the key was refused (401)', { status: 401 }),
    4,
    /401/,
  ],
  [new ModelError('permanent', 'bad_request', 'refused'), 7, /refused/],
  [new ProviderError('no_credentials', 'no key'), 4, /no key/],
  [new ProviderError('unknown_provider', 'no such provider'), 2, /no such/],
  [new ProviderError('bad_base_url', 'bad'), 3, /bad/],
  [new ProviderError('bad_model', 'no knob'), 2, /no knob/],
  [new OutputError('io', 'the output folder /x cannot be used'), 3, /folder \/x/],
  [new MaintenanceError('to is not empty', 'Name another'), 2, /not empty[^]*Name another/],
  [new AiqError('UNREACHABLE', 'no broker answers at tcp://127.0.0.1:1'), 6, /tcp:\/\/127/],
  [new AiqError('UNAUTHORIZED', 'wrong token'), 4, /wrong token/],
  [new AiqError('CONFLICT', 'other content'), 3, /--id/],
  [new AiqError('NOT_FOUND', 'no job'), 5, /no job/],
  [new AiqError('DISK_FULL', 'no room'), 6, /space/],
  [
    Object.assign(new Error('x'), { code: 'EROFS', syscall: 'mkdir', path: 'out' }),
    1,
    /EROFS.*out/,
  ],
  [new TypeError('x is not a function'), 1, /bug/],
];

test.each(expected)('%s', (error, code, text) => {
  const report = reportOf(error);
  expect(exitCode(report.exit)).toBe(code);
  expect(formatReport(report).join('\n')).toMatch(text);
});

test('what the broker answers is never reported as a bug of the command', () => {
  for (const code of Object.keys(errorCodes) as ErrorCode[]) {
    expect(reportOf(new AiqError(code, 'x')).exit, code).not.toBe('unexpected');
  }
});

test('the last cause is told, once', () => {
  const cause = new Error('connect', { cause: new Error('connect ECONNREFUSED 127.0.0.1:4222') });
  const lines = formatReport(reportOf(new AiqError('UNREACHABLE', 'no broker answers', { cause })));
  expect(lines.filter((line) => line.includes('ECONNREFUSED'))).toHaveLength(1);
});

describe('the shape', () => {
  test('is one line, then a blank one and indented details', () => {
    expect(formatReport(new CliError('invalid', 'what', ['where', '', 'fix']))).toEqual([
      'what',
      '',
      '  where',
      '',
      '  fix',
    ]);
  });

  test('is one line alone when there is nothing more to say', () => {
    expect(formatReport(new CliError('usage', 'what'))).toEqual(['what']);
  });

  test('of something thrown that is no error says that it is a bug', () => {
    expect(formatReport(reportOf('oops')).join('\n')).toMatch(/oops[^]*bug/);
  });
});
