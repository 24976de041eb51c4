/** An input that is marked as secret: no command prints it, and no prompt that is kept has it. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeTree } from '../support/hostile/hostile-clone.ts';
import { type Finished, Project } from '../support/project.ts';

const secret = 'S3CRET-4711-value';
const more = 'a text that is long enough to be an extract of itself, and says nothing.';
let project: Project;

beforeAll(async () => {
  project = await Project.make({ AIQ_PROVIDER: 'offline' });
  await writeAgent('pattern: ^S3');
});

afterAll(async () => {
  await project.remove();
});

async function writeAgent(check: string): Promise<void> {
  const manifest = `description: Uses a token.
instructions: 'Sum up. The token is {{input.token}}, in capitals {{upper input.token}}, as JSON {{json input}}.'
prompt: '{{input.text}}'
input:
  primary: text
  schema:
    type: object
    required: [text, token]
    properties:
      text: { type: string }
      token: { type: string, x-aiq: { secret: true }, ${check} }
output: { format: text }
`;
  await writeTree(project.dir, { 'agents/tokens/agent.yaml': manifest });
}

async function expectHidden(code: number, ...args: string[]): Promise<Finished> {
  const finished = await project.aiq(...args);
  expect(finished, finished.stderr).toMatchObject({ code });
  expect(finished.stdout + finished.stderr).not.toMatch(/S3CRET|4711/i);
  return finished;
}

const given = (token: string): string[] => ['--data', JSON.stringify({ text: more, token })];

test.for([
  ['does not fit', ['--data', JSON.stringify({ text: more, token: `no-${secret}` })]],
  ['is no text', ['--set', 'token:=[4711]', '--text', more]],
  ['stands in bad JSON', ['--data', `{"token": ${secret}}`]],
  ['is a number that is too large', ['--set', 'token:=4711123412341234123412', '--text', more]],
  ['is one in --data', ['--data', '{"token": 4711123412341234123412}']],
  ['stands in a bad --set', ['--set', `token:=${secret}`, '--text', more]],
] as const)('one that %s is refused without being shown', async ([, args]) => {
  await expectHidden(3, 'enqueue', 'tokens', ...args);
});

test('a line of JSON is refused without it', async () => {
  const number = '4711123412341234123412';
  const lines = [`{"token": ${secret}}`, `{"token": ${number}}`, `{"input": {"token": ${number}}}`];
  await project.write('lines.jsonl', `${lines.join('\n')}\n`);
  const refused = await expectHidden(3, 'enqueue', 'tokens', '--jsonl', 'lines.jsonl');
  expect(refused.stderr.match(/lines\.jsonl:\d/g)).toHaveLength(3);
});

test('render shows the prompt without it', async () => {
  const shown = await expectHidden(0, 'agents', 'render', 'tokens', ...given(secret));
  expect(shown.stdout).toContain('The token is [secret], in capitals [secret]');
  await expectHidden(0, 'agents', 'render', 'tokens', ...given(secret), '--json');
});

test('the prompt that is kept does not have it, nor any record beside it', async () => {
  const id = (await expectHidden(0, 'enqueue', 'tokens', ...given(secret))).stdout.trim();
  await expectHidden(0, 'run', '--until-empty', '--agents', 'tokens');
  const prompt = await expectHidden(0, 'jobs', 'prompt', id);
  expect(prompt.stdout).toContain('The token is [secret]');
  const entries = await readdir(join(project.dir, 'out'), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  expect(files.length).toBeGreaterThan(1);
  for (const { parentPath, name } of files) {
    expect(await readFile(join(parentPath, name), 'utf8')).not.toContain(secret);
  }
  await expectHidden(0, 'jobs', 'show', id, '--json');
});

test('a job that dies of it says so without it', async () => {
  const added = await expectHidden(0, 'enqueue', 'tokens', ...given(`${secret}-2`));
  await writeAgent('maxLength: 3');
  await expectHidden(7, 'run', '--until-empty', '--agents', 'tokens');
  const id = added.stdout.trim();
  const shown = await expectHidden(0, 'dead', 'show', id);
  expect(shown.stdout).toContain('token is secret, so it is not shown; it breaks "maxLength"');
  await expectHidden(0, 'jobs', 'search', '--cause', 'input_invalid', '--json');
});
