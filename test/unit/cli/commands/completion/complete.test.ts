/** Finding out what is being completed: commands, operands, flags and their values. */

import { expect, test } from 'vitest';
import { locateCursor } from '../../../../../core/cli/commands/completion/cursor.ts';
import { createProgram } from '../../../../../core/cli/program.ts';

const { command: root } = await createProgram('0.0.0', ['help']);

function at(...words: string[]) {
  const { command, operands, option, unknownFlag, operandsOnly } = locateCursor(root, words);
  return [command.name(), operands, option?.long ?? null, unknownFlag, operandsOnly];
}

test.each([
  [[], ['aiq', [], null, null, false]],
  [['jobs'], ['jobs', [], null, null, false]],
  [
    ['--json', 'jobs', 'list'],
    ['list', [], null, null, false],
  ],
  [
    ['--config', 'jobs', 'jobs'],
    ['jobs', [], null, null, false],
  ],
  [
    ['jobs', 'list', '--state'],
    ['list', [], '--state', null, false],
  ],
  [
    ['jobs', 'list', '--state', 'dead'],
    ['list', [], null, null, false],
  ],
  [
    ['add', 'summarize'],
    ['enqueue', ['summarize'], null, null, false],
  ],
  [
    ['enqueue', 'summarize', '--style'],
    ['enqueue', ['summarize'], null, '--style', false],
  ],
  [
    ['enqueue', 'summarize', '--', '--wait'],
    ['enqueue', ['summarize', '--wait'], null, null, true],
  ],
  [
    ['jobs', 'cancel', 'list'],
    ['cancel', ['list'], null, null, false],
  ],
])('%j', (words, expected) => {
  expect(at(...words)).toEqual(expected);
});
