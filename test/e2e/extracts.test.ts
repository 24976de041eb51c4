/** An extract of the offline endpoint never passes for an answer once a real provider is there. */

import { mkdir, readdir } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join, relative } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { Project } from '../support/project.ts';
import { MoodyServer } from '../support/servers/moody-server.ts';

const open: { project: Project; server: MoodyServer }[] = [];
afterEach(async () => {
  for (const { project, server } of open.splice(0)) {
    await project.remove();
    await server.goAway();
  }
});

async function set() {
  const [project, server] = [await Project.make(), await MoodyServer.start()];
  open.push({ project, server });
  await project.write('aiq.config.yaml', 'provider: offline\n');
  await project.write('a.txt', 'A first text. It has two sentences.');
  await project.write('b.txt', 'A second text. It has two sentences, too.');
  const goReal = async () => {
    await project.write('.env', `MOODY_KEY=${server.key}\n`);
    await project.write(
      'aiq.config.yaml',
      `provider: moody
providers:
  moody:
    baseURL: ${server.baseURL}
    apiKey: \${env:MOODY_KEY}
    model: ${server.model}
`,
    );
  };
  return { project, server, goReal };
}

const summarize = (...rest: string[]) => ['enqueue', 'summarize', 'a.txt', 'b.txt', ...rest];

test('the same command runs it for real once there is a provider, once, and says so', async () => {
  const { project, server, goReal } = await set();
  const extracted = await project.aiq(...summarize('--wait'));
  expect(extracted.code, extracted.stderr).toBe(0);
  const offlineAgain = await project.aiq(...summarize('--wait'));
  expect(offlineAgain.stderr).toMatch(/already done, as an extract/);
  await goReal();
  const real = await project.aiq(...summarize('--wait'));
  expect(real.code, real.stderr).toBe(0);
  expect(real.stderr).toMatch(/2 jobs were done as extracts, not an answer: moody runs them again/);
  expect(real.stdout).toMatch(/A summary\.[^]*A summary\./);
  expect(server.calls).toBe(2);
  const again = await project.aiq(...summarize('--wait'));
  expect(again.stderr).not.toMatch(/extract/);
  expect(again.stdout).toMatch(/A summary\./);
  expect(server.calls).toBe(2);
});

test('lines of a file, and a job whose id the user chose, are members of the kind', async () => {
  const { project, server, goReal } = await set();
  await project.write('jobs.jsonl', '{"text":"One."}\n{"text":"Two."}\n');
  const commands = [
    ['enqueue', 'summarize', '--jsonl', 'jobs.jsonl', '--wait'],
    ['enqueue', 'summarize', '--text', 'Three.', '--id', 'three', '--wait'],
  ];
  for (const command of commands) await project.aiq(...command);
  await goReal();
  for (const command of [...commands, ...commands]) {
    const ended = await project.aiq(...command);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout).toMatch(/A summary\./);
  }
  expect(server.calls).toBe(3);
});

const table = `description: Makes a table.
instructions: Make a table of the text.
input:
  schema: { type: object, required: [text], properties: { text: { type: string } } }
output:
  format: json
  schema: { type: object, required: [total], properties: { total: { type: number } } }
`;

test('without a provider no table is invented: it is refused with three ways out, and made only when asked for', async () => {
  const { project } = await set();
  await project.write('aiq.config.yaml', 'provider: auto\n');
  await mkdir(join(project.dir, 'agents/table'), { recursive: true });
  await project.write('agents/table/agent.yaml', table);
  const refused = await project.aiq('enqueue', 'table', '--text', 'Three and four.', '--wait');
  expect(refused.code, refused.stderr).toBe(4);
  expect(refused.stderr).toMatch(/invented data in its json.*OPENAI_API_KEY.*--provider offline/);
  expect(await project.list('out')).toEqual([]);
  const asked = await project.aiq('run', '--until-empty', '--provider', 'offline');
  expect(asked.code, asked.stderr).toBe(0);
});

const answer = { total: 7, files: [{ path: 'a.txt', content: 'A file.' }] };

function answerInJson(response: ServerResponse, prompt: string): boolean {
  const content = prompt.includes('json_schema') ? JSON.stringify(answer) : 'A summary.';
  const message = { role: 'assistant', content };
  response.setHeader('content-type', 'application/json');
  response.end(
    JSON.stringify({
      model: 'model-1',
      choices: [{ index: 0, message, finish_reason: 'stop' }],
      usage: { prompt_tokens: 60, completion_tokens: 4 },
    }),
  );
  return true;
}

/** One agent for each kind of output; all write under one name, and refuse one that is taken. */
const kinds = {
  page: 'format: markdown, file: x.md, overwrite: error',
  note: 'format: text, file: note, overwrite: number',
  sheet: 'format: text, file: x.csv, overwrite: number',
  data: 'format: json, file: deep/x.json, overwrite: error',
  report: 'format: json, file: report.md, overwrite: number, template: "Total: {{output.total}}"',
  tree: 'format: files, file: site, overwrite: error',
};

const files =
  'properties: { files: { type: array, minItems: 1, items: { type: object, required: [path, content], properties: { path: { type: string }, content: { type: string } } } } }';
const total = 'required: [total], properties: { total: { type: number } }';

async function filesIn(project: Project): Promise<string[]> {
  const entries = await readdir(join(project.dir, 'out'), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(join(project.dir, 'out'), join(parentPath, name)))
    .filter((path) => !path.startsWith('.aiq'))
    .sort();
}

async function addKinds(project: Project): Promise<void> {
  for (const [name, output] of Object.entries(kinds)) {
    const schema = name === 'tree' ? files : total;
    const isText = output.startsWith('format: markdown') || output.startsWith('format: text');
    const shaped = isText ? output : `${output}, schema: { type: object, ${schema} }`;
    await mkdir(join(project.dir, 'agents', name), { recursive: true });
    await project.write(
      `agents/${name}/agent.yaml`,
      `description: One kind.\ninstructions: Do it.\nprompt: '{{input.text}}'\n` +
        `input: { schema: { type: object, required: [text], properties: { text: { type: string } } } }\n` +
        `output: { ${shaped} }\n`,
    );
  }
}

test('an extract is told from an answer by its files; the answer takes the plain name and the extract goes', async () => {
  const { project, server, goReal } = await set();
  await addKinds(project);
  for (const name of Object.keys(kinds)) {
    const text = 'One sentence stands here. Another one stands there.';
    const made = await project.aiq('enqueue', name, '--text', text, '--wait', '-q');
    expect(made.code, made.stderr).toBe(0);
    expect(made.stderr).toMatch(/it is an extract of the offline provider/);
  }
  const extracts = await filesIn(project);
  expect(extracts.filter((path) => !path.startsWith('site')).sort()).toEqual(
    ['deep/x.offline.json', 'note', 'report.md', 'x.md', 'x.offline.csv'].sort(),
  );
  const folders = extracts.filter((path) => path.startsWith('site'));
  expect(folders.length).toBeGreaterThan(0);
  expect(folders.every((path) => path.startsWith('site.offline/'))).toBe(true);
  for (const path of ['note', 'report.md', 'x.md']) {
    expect(await project.read(`out/${path}`)).toMatch(/made by aiq-offline/);
  }
  const listed = await project.aiq('jobs', 'list', '-q');
  expect(listed.stdout.match(/\(extract\)/g)).toHaveLength(Object.keys(kinds).length);

  await project.write('out/note', 'What a person wrote.');
  await goReal();
  server.mood = answerInJson;
  for (const name of Object.keys(kinds)) {
    const text = 'One sentence stands here. Another one stands there.';
    const made = await project.aiq('enqueue', name, '--text', text, '--wait');
    expect(made.code, made.stderr).toBe(0);
  }
  const answers = await filesIn(project);
  expect(answers.sort()).toEqual(
    ['deep/x.json', 'note', 'note-2', 'report.md', 'site/a.txt', 'x.csv', 'x.md'].sort(),
  );
  expect(await project.read('out/note')).toBe('What a person wrote.');
});

test('a lost key does not go unnoticed: a queue that had real answers gets no extracts by itself', async () => {
  const { project, server, goReal } = await set();
  await goReal();
  await project.aiq(...summarize('--wait'));
  expect(server.calls).toBe(2);
  await project.write('aiq.config.yaml', 'provider: auto\n');
  await project.write('.env', '');
  await project.aiq('enqueue', 'summarize', '--text', 'A third text.');
  const lost = await project.aiq('run', '--until-empty', '--agents', 'summarize');
  expect(lost.code, lost.stderr).toBe(4);
  expect(lost.stderr).toMatch(/has had real answers/);
});
