/**
 * Log lines on standard error: JSON for machines, short text for people. Fields that carry secrets
 * are removed by name, and texts in the form of keys by pattern.
 */

import { type LevelWithSilent, pino } from 'pino';

export type LogLevel = LevelWithSilent;

export interface LoggerOptions {
  readonly level: LogLevel;
  /** One JSON object per line instead of text. */
  readonly json: boolean;
  /** Where lines go; default standard error. */
  readonly write?: (line: string) => void;
}

type Log = (fields: Readonly<Record<string, unknown>>, message: string) => void;

export interface Logger {
  readonly debug: Log;
  readonly info: Log;
  readonly warn: Log;
  readonly error: Log;
}

const secretFields = ['apiKey', 'token', 'authorization', 'password', 'secret'];
const redacted = '[redacted]';
/** API keys and bearer tokens in messages of servers and libraries. */
const secretShapes = /\b(?:sk|pk|rk)-[\w-]{8,}|\bBearer\s+[\w.~+/=-]{8,}/g;

/** Writes at once: a log line must not be lost because the process ends right after it. */
export function createLogger(options: LoggerOptions): Logger {
  const write = options.write ?? ((line) => void process.stderr.write(line));
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: secretFields.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
        censor: redacted,
      },
    },
    {
      write: (line: string) => {
        const safe = line.replace(secretShapes, redacted);
        write(options.json ? safe : textOf(safe));
      },
    },
  );
  const log =
    (level: 'debug' | 'info' | 'warn' | 'error'): Log =>
    (fields, message) =>
      logger[level](fields, message);
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}

/** `12:31:07 info  job done id=k3f9…`: the JSON line as a person reads it. */
function textOf(line: string): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${textValue(value)}`);
  const clock = String(time).slice(11, 19);
  return `${[clock, String(level).padEnd(5), String(msg), ...rest].join(' ')}\n`;
}

function textValue(value: unknown): string {
  return typeof value === 'string' && !/\s/.test(value) ? value : JSON.stringify(value);
}
