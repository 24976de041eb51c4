/** What a tool prints while a job runs: on standard error, never among the results of a command. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Project } from '../../support/project.ts';

const manifest = `name: chatty
description: Answers with what its tool returned.
instructions: Use the tool and say what it returned.
prompt: '{{input.text}}'
tools: [./chat.mjs]
input:
  primary: text
  schema:
    type: object
    required: [text]
    properties:
      text: { type: string }
output: { file: 'chatty/{{job.shortId}}.md' }
`;

const tool = `console.log('printed while loading');
export default {
  name: 'chat',
  description: 'Prints.',
  parameters: { type: 'object', properties: {} },
  async run() {
    console.log('printed by console.log');
    process.stdout.write('printed to standard output\\n');
    console.error('printed by console.error');
    return 'The mill burned down in the winter of 1901.';
  },
};
`;

let project: Project;
beforeAll(async () => {
  project = await Project.make();
  await mkdir(join(project.dir, 'agents', 'chatty'), { recursive: true });
  await project.write('aiq.config.yaml', 'provider: offline\n');
  await project.write('agents/chatty/agent.yaml', manifest);
  await project.write('agents/chatty/chat.mjs', tool);
});
afterAll(() => project.remove());

test('standard output of a run holds its JSON alone, standard error what was printed', async () => {
  const enqueued = await project.aiq('enqueue', 'chatty', '--text', 'What burned?');
  expect(enqueued, enqueued.stderr).toMatchObject({ code: 0 });
  const ran = await project.aiq('run', '--until-empty', '--json');
  expect(ran, ran.stderr).toMatchObject({ code: 0 });
  const lines = ran.stdout.trim().split('\n');
  expect(lines.map((line) => typeof JSON.parse(line))).toEqual(lines.map(() => 'object'));
  expect(ran.stdout).not.toContain('printed');
  for (const printed of [
    'while loading',
    'by console.log',
    'to standard output',
    'by console.error',
  ]) {
    expect(ran.stderr).toContain(`printed ${printed}\n`);
  }
  const [page = ''] = await project.list('out', 'chatty');
  expect(await project.read('out', 'chatty', page)).toContain('burned down');
});
