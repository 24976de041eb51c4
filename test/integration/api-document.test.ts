/**
 * Runs every example of `docs/guides/api.md`, in its order and each as a program of its own, in one folder
 * with the offline provider, and holds what it prints against the comments beside it.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as api from '../../core/api/index.ts';
import { Project } from '../support/project.ts';
import { section, tableRows } from '../tidy/rules/markdown.ts';
import { readText, root } from '../tidy/rules/repository.ts';

const markdown = readText('docs/guides/api.md');
const articles = [
  'moby-dick-cetology.md',
  'roosevelt-four-freedoms.txt',
  'sqlite-how-to-corrupt.md',
];

interface Example {
  readonly heading: string;
  readonly kind: string;
  readonly code: string;
  /** The file that its first line names, or null for a program. */
  readonly file: string | null;
}

const examples: readonly Example[] = [
  ...markdown.matchAll(/^```(?<kind>js|yaml)\n(?<code>[\s\S]*?)^```$/gm),
].map(({ index, groups: { kind = '', code = '' } = {} }) => ({
  kind,
  code,
  heading: /.*## (.*)/s.exec(markdown.slice(0, index))?.[1]?.split('\n')[0] ?? '',
  file: /^(?:\/\/|#) (\S+\/\S+)\n/.exec(code)?.[1] ?? null,
}));

let project: Project;

beforeAll(async () => {
  project = await Project.make();
  const name = 'node_modules/@aiq/aiq';
  await mkdir(join(project.dir, name), { recursive: true });
  const exports = { '.': './index.js' };
  await project.write(`${name}/package.json`, JSON.stringify({ type: 'module', exports }));
  const source = pathToFileURL(join(root, 'core/api/index.ts')).href;
  await project.write(`${name}/index.js`, `export * from ${JSON.stringify(source)};\n`);
  for (const file of articles) {
    await cp(join(root, 'examples/texts', file), join(project.dir, 'articles', file));
  }
});

afterAll(async () => {
  await project.remove();
});

async function write({ file, code }: Example & { file: string }): Promise<void> {
  await mkdir(dirname(join(project.dir, file)), { recursive: true });
  await project.write(file, code);
}

async function run(file: string): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [file], {
    cwd: project.dir,
    env: { PATH: process.env['PATH'], HOME: project.dir, AIQ_PROVIDER: 'offline' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [[code], stdout, stderr] = await Promise.all([
    once(child, 'close'),
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code, stdout, stderr };
}

function escaped(part: string): string {
  return part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

/** What the comments behind `console.log(…);` promise, in order; `…` stands for anything. */
function promised(code: string): RegExp {
  const comments = [...code.matchAll(/console\.log\(.*\);? *\/\/ (.+)$/gm)];
  const lines = comments.map(([, comment = '']) => comment.split('…').map(escaped).join('.*'));
  return new RegExp(lines.map((line) => `^${line}$`).join('[\\s\\S]*'), 'm');
}

describe('the examples of docs/guides/api.md', () => {
  test('are there, one for each function at least', () => {
    const headings = new Set(examples.map(({ heading }) => heading.replace(/\(.*/, '')));
    for (const name of ['connect', 'enqueue', 'enqueueMany', 'run', 'wait', 'defineTool']) {
      expect(headings).toContain(name);
    }
  });

  test.each(examples.map((example, index) => ({ ...example, index })))(
    '$index: $heading',
    async (example) => {
      const file = example.file ?? `example-${example.index}.mjs`;
      await write({ ...example, file });
      if (example.kind === 'yaml') {
        const finished = await project.aiq('agents', 'validate');
        expect(finished, finished.stderr).toMatchObject({ code: 0 });
        return;
      }
      const ended = await run(file);
      expect(ended, ended.stderr).toMatchObject({ code: 0 });
      expect(ended.stdout).toMatch(promised(example.code));
    },
  );

  test('would be caught when they print something else', () => {
    const pattern = promised("console.log(1); // one …\nconsole.log('x');\nconsole.log(2); // two");
    expect('one thing\nx\ntwo\n').toMatch(pattern);
    expect('two\none thing\n').not.toMatch(pattern);
  });
});

test('docs/guides/api.md names every error class that the package exports', () => {
  const classes = Object.keys(api).filter((name) => name.endsWith('Error'));
  const rows = tableRows(section(markdown, '## Errors')).map(([name = '']) => name);
  expect(rows.sort()).toEqual(classes.sort());
});

test('docs/guides/api.md names every field of a described job', async () => {
  const aiq = await api.connect({ dir: project.dir, env: {} });
  const { value } = await aiq.jobs()[Symbol.asyncIterator]().next();
  await aiq.close();
  const fields = Object.keys(value as object);
  expect(fields.length).toBeGreaterThan(10);
  const told = section(markdown, '## wait(id, options?), job(id), jobs(filter?)');
  for (const field of fields) expect(told).toContain(`\`${field}\``);
});
