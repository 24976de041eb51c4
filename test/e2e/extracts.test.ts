/** An extract of the offline endpoint never passes for an answer once a real provider is there. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { MoodyServer } from '../support/moody-server.ts';
import { Project } from '../support/project.ts';

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
  expect(real.stderr).toMatch(/2 jobs were done as extracts, which is no answer: moody does them/);
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
