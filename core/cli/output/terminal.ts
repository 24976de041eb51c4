/**
 * The only place that writes to the terminal. Results go to standard output, everything else to
 * standard error; a reader that leaves early (`aiq jobs list | head`) ends the command quietly.
 */

import { exitCode } from '../exit-codes.ts';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';
export type ColorMode = 'auto' | 'always' | 'never';

export interface TerminalOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly color: ColorMode;
}

export interface Terminal extends TerminalOptions {
  /** One line of the result, on standard output. */
  result(line: string): void;
  /** Result text that brings its own line ends. */
  resultText(text: string): void;
  /** One line for people, on standard error; off with `--quiet`. */
  note(line: string): void;
  /** One line about something that failed, on standard error; shown even with `--quiet`. */
  failure(line: string): void;
  /** A suggestion, such as the next command; only at a terminal. */
  hint(line: string): void;
  /** A problem that does not stop the command; shown even with `--quiet`. */
  warn(line: string): void;
  /** Colours for standard error; the text itself where colours are off. */
  paint(style: Style, text: string): string;
}

export function createTerminal(options: TerminalOptions): Terminal {
  return {
    ...options,
    result: (line) => {
      process.stdout.write(shown(`${line}\n`));
    },
    resultText: (text) => {
      process.stdout.write(shown(text.endsWith('\n') ? text : `${text}\n`));
    },
    note: (line) => {
      if (!options.quiet) writeError(line);
    },
    failure: writeError,
    hint: (line) => {
      if (!options.quiet && !options.json && process.stderr.isTTY)
        writeError(paint('dim', line, options));
    },
    warn: (line) => writeError(`${paint('yellow', 'warning:', options)} ${line}`),
    paint: (style, text) => paint(style, text, options),
  };
}

/**
 * Escapes control characters at a terminal, where texts of models and documents could set the title
 * or the clipboard, or fake lines. A pipe gets every byte.
 */
function shown(text: string): string {
  return process.stdout.isTTY ? visible(text) : text;
}

/** The text with its control characters written out, but for line breaks and tabs. */
export function visible(text: string): string {
  return text.replace(controls, (found) => {
    const code = found.codePointAt(0) ?? 0;
    return `\\x${code.toString(16).padStart(2, '0')}`;
  });
}

/** Controls (C0, C1), and the marks that turn the direction of text; `\r` alone goes back in its line. */
const controls = /\r(?!\n)|[^\P{Cc}\n\t\r]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

function writeError(line: string): void {
  process.stderr.write(`${line}\n`);
}

/**
 * `styleText` follows NO_COLOR, FORCE_COLOR and whether the stream is a terminal. It is not imported, here as
 * elsewhere: an import of `node:util` computes all that it could give, a twentieth of the time of help.
 */
function paint(style: Style, text: string, { color }: TerminalOptions): string {
  if (color === 'never') return text;
  const { styleText } = process.getBuiltinModule('node:util');
  if (color === 'always') return styleText(style, text, { validateStream: false });
  return styleText(style, text, { stream: process.stderr });
}

const columnsDefault = 80;

/** Columns of the terminal that results go to; null where they go elsewhere. */
export function outputWidth(): number | null {
  // Some terminals report 0 for "not known".
  return process.stdout.isTTY ? process.stdout.columns || columnsDefault : null;
}

/** Exits with 0 when the reader closed the pipe; any other write error is a failure. */
export function endOnUnwritableOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    writeError(`error: standard output cannot be written: ${error.message}`);
    process.exit(exitCode('unexpected'));
  });
  process.stderr.on('error', ({ code }: NodeJS.ErrnoException) => {
    process.exit(code === 'EPIPE' ? 0 : exitCode('unexpected'));
  });
}
