/** The real tree of commands, walked: every command with its path and its help as it is printed. */

import type { Command } from 'commander';
import { createProgram } from '../../core/cli/program.ts';

export interface TreeCommand {
  /** Such as `jobs list`; empty for aiq itself. */
  readonly path: string;
  readonly command: Command;
}

/** All commands that people see: aiq itself first, the families included. */
export async function allCommands(): Promise<[TreeCommand, ...TreeCommand[]]> {
  return walk((await createProgram('0.0.0', ['help'])).command, []);
}

function walk(command: Command, path: readonly string[]): [TreeCommand, ...TreeCommand[]] {
  const subs = command.commands.filter((sub) => !sub.name().startsWith('__'));
  return [
    { path: path.join(' '), command },
    ...subs.flatMap((sub) => walk(sub, [...path, sub.name()])),
  ];
}

/** True for a command that does something itself. */
export function isLeaf({ command }: TreeCommand): boolean {
  return command.commands.length === 0;
}

export function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text;
}

/** One line of the examples: what to type, and what it says about it. */
export interface PrintedExample {
  readonly line: string;
  readonly meaning: string;
}

export function examplesOf(command: Command): PrintedExample[] {
  const [, block = ''] = helpOf(command).split('\nExamples:\n');
  return block
    .split('\n')
    .filter((line) => line.startsWith('  '))
    .map((line) => {
      const [typed = '', ...meaning] = line.trim().split(/ {3,}/);
      return { line: typed, meaning: meaning.join(' ') };
    });
}
