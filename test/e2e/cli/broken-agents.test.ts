/** A folder with agents that are broken in different ways: each is named with its place, the others work. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Project } from '../../support/project.ts';

let project: Project;

beforeAll(async () => {
  project = await Project.make();
  await project.write('aiq.config.yaml', 'provider: offline\n');
  await addAgent('unparsable', 'name: [unparsable\n');
  await addAgent('unknown-key', `${manifest('unknown-key')}instrutions: again\n`);
  await addAgent('broken-tool', `${manifest('broken-tool')}tools: [./look-up.mjs]\n`);
  await project.write(
    'agents/broken-tool/look-up.mjs',
    'export default {\n  name: "look_up",,\n};\n',
  );
  await addAgent('sound', manifest('sound'));
});

afterAll(async () => {
  await project.remove();
});

async function addAgent(name: string, text: string): Promise<void> {
  await mkdir(join(project.dir, 'agents', name), { recursive: true });
  await project.write(`agents/${name}/agent.yaml`, text);
}

function manifest(name: string): string {
  return `name: ${name}
description: Says what a text is about.
instructions: Say in one sentence what the text is about.
prompt: '{{input.text}}'
input:
  primary: text
  schema:
    type: object
    required: [text]
    properties:
      text: { type: string }
output: { file: '${name}/{{job.shortId}}.md' }
`;
}

const places = [
  /^agents\/unparsable\/agent\.yaml:\d+:\d+: /m,
  /^agents\/unknown-key\/agent\.yaml:13:1: .*instrutions.*Did you mean "instructions"/m,
  /^agents\/broken-tool\/look-up\.mjs:2:\d+: /m,
];

test('validate names each with file, line and column, and exits 3', async () => {
  const validated = await project.aiq('agents', 'validate');
  expect(validated.code, validated.stderr).toBe(3);
  for (const place of places) expect(validated.stdout).toMatch(place);
  expect(validated.stdout).not.toContain('agents/sound');
  expect((await project.aiq('agents', 'validate', 'sound')).code).toBe(0);
});

test('doctor names each as well, and says which can be used', async () => {
  const checked = await project.aiq('doctor');
  expect(checked.code, checked.stdout).toBe(3);
  for (const place of places)
    expect(checked.stdout).toMatch(new RegExp(place.source.slice(1), 'm'));
  expect(checked.stdout).toMatch(/^ok +agents +.*sound/m);
});

test('list shows the broken ones as rows among the others', async () => {
  const { code, stdout } = await project.aiq('agents', 'list');
  expect(code).toBe(0);
  for (const name of ['unparsable', 'unknown-key', 'sound', 'summarize']) {
    expect(stdout).toMatch(new RegExp(`^${name}\\t`, 'm'));
  }
});

test('run leaves them out by name and does the jobs of the others', async () => {
  const added = await project.aiq('enqueue', 'sound', '--text', 'The mill burned in 1901.');
  expect(added.code, added.stderr).toBe(0);
  const ran = await project.aiq('run', '--until-empty');
  expect(ran.code, ran.stderr).toBe(0);
  for (const place of places) {
    expect(ran.stderr).toMatch(new RegExp(`^warning: .*${place.source.slice(1)}`, 'm'));
  }
  expect(await project.list('out', 'sound')).toEqual([`${added.stdout.trim()}.md`]);
});

test('a broken one cannot be given jobs, and the reason is told', async () => {
  const refused = await project.aiq('enqueue', 'unknown-key', '--text', 'A text.');
  expect(refused.code).toBe(3);
  expect(refused.stderr).toContain('instrutions');
  const tool = await project.aiq('enqueue', 'broken-tool', '--text', 'A text.');
  expect(tool, tool.stderr).toMatchObject({ code: 3, stdout: '' });
  expect(tool.stderr).toMatch(/agents\/broken-tool\/look-up\.mjs:2:\d+: /);
  expect((await project.aiq('jobs', 'list', '--agent', 'broken-tool')).stdout).toBe('');
});
