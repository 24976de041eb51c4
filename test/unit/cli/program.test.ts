/** Which families of commands are loaded for which arguments. */

import { Help } from 'commander';
import { expect, test } from 'vitest';
import { families } from '../../../core/cli/families.ts';
import { createProgram } from '../../../core/cli/program.ts';
import { helpOf } from '../../support/command-tree.ts';

async function loadedFor(...argv: string[]): Promise<string[]> {
  const { command } = await createProgram('0.0.0', argv);
  return command.commands.map((one) => one.name());
}

test.each([
  [['jobs', 'list'], 'jobs'],
  [['--json', 'jobs', 'list'], 'jobs'],
  [['--config', 'jobs', 'enqueue', 'summarize', 'run'], 'enqueue'],
  [['--config=run', '--color', 'never', 'tail'], 'tail'],
  [['add', 'summarize'], 'enqueue'],
])('%j loads the family of its command alone', async (argv, family) => {
  expect(await loadedFor(...argv)).toEqual([family]);
});

test('agents loads enqueue as well, whose flags no input may have', async () => {
  expect(await loadedFor('agents', 'show', 'summarize')).toEqual(['enqueue', 'agents']);
});

test.each([[[]], [['--help']], [['--version']]])(
  '%j loads none: the outline is the help',
  async (argv) => {
    const { command } = await createProgram('0.0.0', argv);
    expect(command.commands.map((one) => one.options.length)).toEqual(Array(21).fill(0));
    expect(helpOf(command)).toBe(helpOf((await createProgram('0.0.0', ['help'])).command));
  },
);

test('the outline says of each command what the command itself does', async () => {
  const { command } = await createProgram('0.0.0', ['help']);
  const help = new Help();
  const shown = command.commands.filter((one) => one.name() !== '__complete');
  expect(shown.map((one) => help.subcommandTerm(one))).toEqual(
    Object.values(families).map(({ term }) => term),
  );
});

test.each([[['help', 'jobs']], [['jbos', 'list']], [['__complete', '--', 'j']]])(
  '%j loads all, for help and suggestions',
  async (argv) => {
    const all = await loadedFor(...argv);
    expect(all).toEqual(expect.arrayContaining(['enqueue', 'jobs', 'help', '__complete']));
    expect(all).toHaveLength(22);
  },
);
