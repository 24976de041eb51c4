/** The shipped agents as a person uses them, offline, over real texts and this repository's documents. */

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseYaml } from '../../core/yaml/index.ts';
import { Project } from '../support/project.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));

let project: Project;
beforeAll(async () => {
  project = await Project.make();
  for (const folder of ['docs', 'examples']) {
    cpSync(join(repository, folder), join(project.dir, folder), { recursive: true });
  }
  await project.write('aiq.config.yaml', 'provider: offline\n');
});
afterAll(() => project.remove());

/** The files below a folder of the output, by path. */
function outputs(folder: string): Map<string, string> {
  const dir = join(project.dir, 'out', folder);
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return new Map(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path.slice(dir.length + 1), readFileSync(path, 'utf8')];
    }),
  );
}

async function ask(question: string): Promise<string> {
  rmSync(join(project.dir, 'out', 'answers'), { recursive: true, force: true });
  const asked = await project.aiq('enqueue', 'search', '--query', question, '--force', '--wait');
  expect(asked, asked.stderr).toMatchObject({ code: 0 });
  const [page = ''] = outputs('answers').values();
  return page;
}

/** `[1] path, line 3:` and the quoted lines below it. */
function quotesIn(page: string): { path: string; line: number; quote: string }[] {
  const found = page.matchAll(/^\[\d+\] (\S+), line (\d+):\n\n((?:> .*\n?)+)/gm);
  return [...found].map(([, path = '', line, quoted = '']) => ({
    path,
    line: Number(line),
    quote: quoted.trimEnd().replace(/^> /gm, ''),
  }));
}

describe('search', () => {
  test.each([
    [
      'How many Senators does each State have?',
      'examples/texts/constitution-of-the-united-states.txt',
      'two Senators',
    ],
    [
      'How is an atomic commit done on a single file?',
      'examples/texts/sqlite-atomic-commit.md',
      'atomic commit',
    ],
    ['Which errors end the connection?', 'docs/reference/protocol.md', 'end the connection'],
    ['Who may pause a queue and what does a purge remove?', 'docs/', ''],
  ])('answers "%s" with quotes that stand in the files', async (question, source, words) => {
    const page = await ask(question);
    expect(page.startsWith(`# ${question}\n`)).toBe(true);
    expect(page).toContain('made by aiq-offline');
    const quotes = quotesIn(page);
    expect(quotes.length).toBeGreaterThan(0);
    for (const { path, line, quote } of quotes) {
      const text = readFileSync(join(repository, path), 'utf8');
      expect(text, path).toContain(quote);
      expect(text.split('\n')[line - 1]).toContain(quote.split('\n')[0]);
    }
    expect(quotes.some(({ path, quote }) => path.startsWith(source) && quote.includes(words))).toBe(
      true,
    );
  });

  test.each([
    'What is the airspeed velocity of an unladen swallow?',
    'How do I descale an espresso machine?',
    'Wer gewann die Fußballweltmeisterschaft 2014?',
  ])('says that it found nothing on "%s"', async (question) => {
    const page = await ask(question);
    expect(page).toBe(
      `# ${question}\n\nNot found in the files searched. Searched for: "${question}".\n`,
    );
  });

  test('is another job when the files changed, and the same one when they did not', async () => {
    const args = ['enqueue', 'search', '--query', 'Where is the lighthouse?', '--json'];
    const enqueued = async () =>
      JSON.parse((await project.aiq(...args)).stdout) as { id: string; outcome: string };
    const first = await enqueued();
    expect(await enqueued()).toMatchObject({ id: first.id, outcome: 'exists' });
    writeFileSync(
      join(project.dir, 'docs', 'lighthouse.md'),
      'The lighthouse stands on the north cape.\n',
    );
    const second = await enqueued();
    expect(second).toMatchObject({ outcome: 'created' });
    expect(second.id).not.toBe(first.id);
    expect((await project.aiq('run', '--agents', 'search', '--until-empty')).code).toBe(0);
    const pages = [...outputs('answers')].filter(([name]) =>
      name.startsWith('where-is-the-lighthouse'),
    );
    expect(pages.map(([, page]) => page.includes('north cape'))).toContain(true);
  });

  test('warns at once when there is nothing to look into', async () => {
    const empty = await Project.make();
    try {
      await empty.write('aiq.config.yaml', 'provider: offline\n');
      const asked = await empty.aiq('enqueue', 'search', '--query', 'Anything?');
      expect(asked.code).toBe(0);
      expect(asked.stderr).toMatch(/agent "search" has no knowledge files: none in .* matches/);
    } finally {
      await empty.remove();
    }
  });
});

describe('filegen', () => {
  test('writes the files that the brief names, valid for their kinds, each saying how it was made', async () => {
    const brief =
      'Write README.md, config.json, deploy/app.yaml and data/rows.csv for a ferry timetable.';
    const made = await project.aiq('enqueue', 'filegen', '--brief', brief, '--wait');
    expect(made, made.stderr).toMatchObject({ code: 0 });
    const files = new Map(
      [...outputs('generated')].map(([path, text]) => [path.replace(/^[^/]*\//, ''), text]),
    );
    expect([...files.keys()].toSorted()).toEqual([
      'README.md',
      'config.json',
      'data/rows.csv',
      'deploy/app.yaml',
    ]);
    for (const text of files.values()) {
      expect(text).toContain('made by aiq-offline');
      expect(text).toContain('ferry timetable');
    }
    expect(JSON.parse(files.get('config.json') ?? '')).toHaveProperty('brief', brief);
    const yaml = parseYaml('app.yaml', Buffer.from(files.get('deploy/app.yaml') ?? ''));
    expect(yaml.ok && yaml.file.value).toHaveProperty('brief', brief);
    rmSync(join(project.dir, 'out', 'generated'), { recursive: true });
  });

  test('obeys the limit of files', async () => {
    const brief = 'Write a.md, b.md and c.md about lamps.';
    const args = ['enqueue', 'filegen', '--brief', brief, '--max-files', '2', '--wait'];
    expect((await project.aiq(...args)).code).toBe(0);
    expect(outputs('generated').size).toBe(2);
  });
});

describe('broken agents', () => {
  const tool = `export default { name: 'clock', description: 'The time.',
    parameters: { type: 'object' }, run: async () => 'noon' };\n`;
  const agents: { [path: string]: string } = {
    'torn/agent.yaml': 'description: [',
    'typo/agent.yaml': 'description: x\ninstructions: y\ninstrutions: z\n',
    'tooled/agent.yaml': 'description: x\ninstructions: y\ntools: [./tools/x.js]\n',
    'tooled/tools/x.js': '\nexport const tool = {;\n',
    'clock/agent.yaml': 'description: x\ninstructions: Tell the time.\ntools: [./x.js]\n',
    'clock/x.js': tool,
  };

  test('are each named with their place, and the other agents work', async () => {
    for (const [path, text] of Object.entries(agents)) {
      const file = join(project.dir, 'agents', path);
      mkdirSync(join(file, '..'), { recursive: true });
      writeFileSync(file, text);
    }
    const checked = await project.aiq('agents', 'validate');
    expect(checked.code).toBe(3);
    const lines = checked.stdout.trim().split('\n').toSorted();
    expect(lines).toEqual([
      expect.stringMatching(/^agents\/tooled\/tools\/x\.js:2:\d+: the module cannot be loaded/),
      expect.stringMatching(/^agents\/torn\/agent\.yaml:\d+:\d+: /),
      expect.stringMatching(/^agents\/typo\/agent\.yaml:3:1: unknown field "instrutions"/),
    ]);
    const listed = await project.aiq('agents', 'list');
    expect(listed.stdout).toMatch(/^tooled\s.*broken: .*tools\/x\.js:2/m);
    expect(listed.stdout).toMatch(/^clock\s.*agents\/clock/m);

    const run = await project.aiq('enqueue', 'clock', '--text', 'Time?', '--wait');
    expect(run, run.stderr).toMatchObject({ code: 0 });
    // A job of the time when the module was sound.
    const module = join(project.dir, 'agents', 'tooled', 'tools', 'x.js');
    const broken = readFileSync(module);
    writeFileSync(
      module,
      "export const tool = { name: 'x', description: 'Nothing.', parameters: { type: 'object' }, run: () => 'ok' };",
    );
    const queued = await project.aiq('enqueue', 'tooled', '--text', 'Anything');
    expect(queued, queued.stderr).toMatchObject({ code: 0 });
    writeFileSync(module, broken);
    const refused = await project.aiq('enqueue', 'tooled', '--text', 'Anything else');
    expect(refused, refused.stderr).toMatchObject({ code: 3, stdout: '' });
    const named = await project.aiq('run', '--until-empty', '--agents', 'clock,tooled');
    expect(named, named.stderr).toMatchObject({ code: 3 });
    expect(named.stderr).toMatch(/^error: .*tools\/x\.js:2/m);
    const all = await project.aiq('run', '--until-empty');
    expect(all.stderr).toMatch(/agent "tooled" is skipped:\n.*tools\/x\.js:2/);
    expect(all.stderr).toContain('1 job waits in queue "tooled"');
  });
});
