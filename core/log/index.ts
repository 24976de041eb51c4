/** Structured logging to standard error, with secrets cut out. */

export { createLogger, type Logger, type LoggerOptions, type LogLevel } from './logger.ts';
