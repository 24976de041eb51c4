/** Log lines: shape, level, and that secrets do not get through. */

import { expect, test } from 'vitest';
import { createLogger, type LoggerOptions } from '../../../../core/cli/output/logger.ts';

function captured(options: Omit<LoggerOptions, 'write'>) {
  const lines: string[] = [];
  return { lines, logger: createLogger({ ...options, write: (line) => lines.push(line) }) };
}

test('a JSON line has level, time, message and fields', () => {
  const { lines, logger } = captured({ level: 'info', json: true });
  logger.warn({ jobId: 'abc' }, 'job failed');
  const line = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  expect(line).toMatchObject({ level: 'warn', msg: 'job failed', jobId: 'abc' });
  expect(Date.parse(String(line['time']))).not.toBeNaN();
});

test('lines under the level are not written', () => {
  const { lines, logger } = captured({ level: 'warn', json: true });
  logger.info({}, 'quiet');
  logger.debug({}, 'quieter');
  expect(lines).toEqual([]);
});

test('fields that carry secrets are cut out, two levels deep', () => {
  const { lines, logger } = captured({ level: 'info', json: true });
  logger.info({ apiKey: 'one', provider: { token: 'two', http: { authorization: 'three' } } }, 'x');
  expect(lines[0]).not.toMatch(/one|two|three/);
  expect(lines[0]).toContain('[redacted]');
});

test('key-like words are cut out of any text', () => {
  const { lines, logger } = captured({ level: 'info', json: true });
  logger.error(
    { body: 'Incorrect API key provided: sk-proj-abcdef123456' },
    'got Bearer abcdefgh12',
  );
  expect(lines[0]).not.toMatch(/abcdef/);
});

test('text for people has no JSON around it', () => {
  const { lines, logger } = captured({ level: 'info', json: false });
  logger.info({ id: 'k3f9', note: 'two words' }, 'job done');
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d info {2}job done id=k3f9 note="two words"\n$/);
});
