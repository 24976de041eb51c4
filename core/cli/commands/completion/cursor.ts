/** Finds the command and the option that the word to complete belongs to. */

import type { Command, Option } from 'commander';

export interface Cursor {
  /** The innermost command that the words name. */
  readonly command: Command;
  /** Operands of that command before the word. */
  readonly operands: readonly string[];
  /** The option whose value the word is; null for anything else. */
  readonly option: Option | null;
  /** A flag before the word that the command itself does not have, such as one of an agent. */
  readonly unknownFlag: string | null;
  /** Behind `--` nothing is a flag. */
  readonly operandsOnly: boolean;
}

/** @param words those behind the program's name and before the word in question */
export function locateCursor(root: Command, words: readonly string[]): Cursor {
  let command = root;
  let operands: string[] = [];
  let option: Option | null = null;
  let unknownFlag: string | null = null;
  let operandsOnly = false;
  for (const word of words) {
    const takesValue: boolean = option !== null;
    option = null;
    unknownFlag = null;
    if (takesValue) continue;
    if (operandsOnly || !word.startsWith('-') || word === '-') {
      const sub: Command | undefined =
        operands.length === 0 ? subcommand(command, word) : undefined;
      if (sub === undefined) operands.push(word);
      else [command, operands] = [sub, []];
    } else if (word === '--') operandsOnly = true;
    else {
      const known: Option | undefined = optionsOf(command).find(
        ({ long, short }) => long === word || short === word,
      );
      if (known === undefined) unknownFlag = word;
      else if (known.required) option = known;
    }
  }
  return { command, operands, option, unknownFlag, operandsOnly };
}

function subcommand(command: Command, name: string): Command | undefined {
  return command.commands.find((sub) => sub.name() === name || sub.aliases().includes(name));
}

/** The command's own options, then those of the commands above it. */
export function optionsOf(command: Command): readonly Option[] {
  return command.parent === null
    ? command.options
    : [...command.options, ...optionsOf(command.parent)];
}
