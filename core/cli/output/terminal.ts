/**
 * The only place that writes to the terminal. Results go to standard output, everything else to
 * standard error; a reader that leaves early (`aiq jobs list | head`) ends the command quietly.
 */

import { styleText } from 'node:util';
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
  /** A line that only a person at a terminal needs, such as the next command. */
  hint(line: string): void;
  /** Something is wrong but the command goes on; shown even with `--quiet`. */
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
      if (!options.quiet) say(line);
    },
    failure: say,
    hint: (line) => {
      if (!options.quiet && !options.json && process.stderr.isTTY)
        say(painted('dim', line, options));
    },
    warn: (line) => say(`${painted('yellow', 'warning:', options)} ${line}`),
    paint: (style, text) => painted(style, text, options),
  };
}

/**
 * Results hold what models and documents say. A pipe gets every byte; a terminal would obey what it
 * takes for commands (its title, its clipboard, faked lines), so there they are shown instead.
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

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** `styleText` follows NO_COLOR, FORCE_COLOR and whether the stream is a terminal. */
function painted(style: Style, text: string, { color }: TerminalOptions): string {
  if (color === 'never') return text;
  if (color === 'always') return styleText(style, text, { validateStream: false });
  return styleText(style, text, { stream: process.stderr });
}

const columnsDefault = 80;

/** Columns of the terminal that results go to; null where they go elsewhere. */
export function outputWidth(): number | null {
  // Some terminals say 0 for "not known".
  return process.stdout.isTTY ? process.stdout.columns || columnsDefault : null;
}

/** A closed pipe is the reader's wish to stop; output that cannot be written otherwise is a failure. */
export function endOnUnwritableOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    say(`error: standard output cannot be written: ${error.message}`);
    process.exit(exitCode('unexpected'));
  });
  process.stderr.on('error', ({ code }: NodeJS.ErrnoException) => {
    process.exit(code === 'EPIPE' ? 0 : exitCode('unexpected'));
  });
}
