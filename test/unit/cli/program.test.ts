/** Which families of commands are loaded for which arguments. */

import { expect, test } from 'vitest';
import { createProgram } from '../../../core/cli/program.ts';

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

test.each([
  [[]],
  [['--help']],
  [['help', 'jobs']],
  [['jbos', 'list']],
  [['__complete', '--', 'j']],
])('%j loads all, for help and suggestions', async (argv) => {
  const all = await loadedFor(...argv);
  expect(all).toEqual(expect.arrayContaining(['enqueue', 'jobs', 'help', '__complete']));
  expect(all).toHaveLength(18);
});
