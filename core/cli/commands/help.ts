/** `aiq help`: shows the help of a command, or a topic. */

import type { Command } from 'commander';
import { examplesText } from '../examples.ts';
import { helpTopics } from './help-topics.ts';

export function addHelp(root: Command): void {
  root
    .command('help')
    .argument('[topic...]')
    .addHelpText('after', examplesText([['aiq help exit-codes'], ['aiq help jobs list']]))
    .action((path: string[]) => {
      const topic = helpTopics[path.join(' ')];
      if (topic !== undefined) process.stdout.write(`${topic()}\n`);
      else commandAt(root, path).outputHelp();
    });
}

function commandAt(root: Command, path: readonly string[]): Command {
  let command = root;
  for (const name of path) {
    const next = command.commands.find(
      (sub) => sub.name() === name || sub.aliases().includes(name),
    );
    if (next === undefined)
      return root.error(`error: no help topic or command '${path.join(' ')}'`);
    command = next;
  }
  return command;
}
