/** `aiq init`: creates the files of a new project; existing files are kept. */

import { constants } from 'node:fs';
import { copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import { FolderError, makeFolder } from '../../base/index.ts';
import { agentTemplate } from '../agent-template.ts';
import { CliError, usageError } from '../errors.ts';
import type { ExitName } from '../exit-codes.ts';
import { readPath } from '../input/values.ts';
import { pathFromHere } from '../output/format.ts';
import { schemaLine, withSchemaLine } from '../schema-reference.ts';
import type { Session } from '../session.ts';

const exampleAgent = 'one-line';
/** A real text in the public domain, where the `search` agent searches by default. */
const sample = {
  from: 'examples/texts/roosevelt-four-freedoms.txt',
  to: posix.join('docs', 'four-freedoms.md'),
};

/** Files of aiq, and keys, that do not belong in a repository. */
const ignored = ['.aiq/', 'out/', '.env'];

/** Writes one file; throws `EEXIST` when it exists. */
type Put = (path: string) => Promise<void>;

/** Writes the configuration, one commented agent, a sample text and a .gitignore. */
export async function init(session: Session, folder: string | undefined): Promise<ExitName> {
  const dir = readPath(folder ?? '.');
  await prepareFolder(dir);
  const { packageRoot } = await import('../../agent/index.ts');
  const root = packageRoot();
  const files: readonly (readonly [name: string, put: Put])[] = [
    ['aiq.config.yaml', (path) => putConfig(root, path)],
    [`agents/${exampleAgent}/agent.yaml`, (path) => putAgent(root, path)],
    [sample.to, (path) => copyFile(join(root, sample.from), path, constants.COPYFILE_EXCL)],
    ['.gitignore', (path) => writeFile(path, `${ignored.join('\n')}\n`, { flag: 'wx' })],
  ];
  const { terminal } = session;
  for (const [name, put] of files) {
    const path = join(dir, name);
    const created = await putOnce(path, put);
    if (terminal.json) terminal.result(JSON.stringify({ path, created }));
    else if (created) terminal.result(pathFromHere(path));
    else terminal.note(`kept ${pathFromHere(path)}, which already exists${await lacks(path)}`);
  }
  printNext(session, folder);
  return 'ok';
}

async function prepareFolder(dir: string): Promise<void> {
  const found = await stat(dir).catch(() => null);
  if (found !== null && !found.isDirectory()) {
    throw usageError(`${pathFromHere(dir)} is a file; nothing was written`, 'Name a folder.');
  }
  makeFolder(dir);
}

async function putOnce(path: string, put: Put): Promise<boolean> {
  try {
    makeFolder(dirname(path));
    await put(path);
    return true;
  } catch (error) {
    if (error instanceof FolderError) {
      const fix = 'Files written so far are kept. Move it away, or choose another folder.';
      throw new CliError('usage', error.message, [fix]);
    }
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** `/out`, `out/` and `out` mean the same here. */
function bare(line: string): string {
  return line.trim().replace(/^\/|\/$/g, '');
}

/** The lines that an existing `.gitignore` lacks; empty for other files. */
async function lacks(path: string): Promise<string> {
  if (basename(path) !== '.gitignore') return '';
  const lines = new Set((await readFile(path, 'utf8')).split('\n').map(bare));
  const missing = ignored.filter((line) => !lines.has(bare(line)));
  return missing.length === 0 ? '' : `; consider adding: ${missing.join(' ')}`;
}

async function putConfig(root: string, path: string): Promise<void> {
  const text = await readFile(join(root, 'aiq.config.yaml'), 'utf8');
  const line = schemaLine(root, 'config.schema.json', dirname(path));
  await writeFile(path, withSchemaLine(text, line), { flag: 'wx' });
}

async function putAgent(root: string, path: string): Promise<void> {
  const line = schemaLine(root, 'agent.schema.json', dirname(path));
  await writeFile(path, agentTemplate(exampleAgent, line), { flag: 'wx' });
}

function printNext({ terminal }: Session, folder: string | undefined): void {
  const enter = folder === undefined || folder === '.' ? '' : `\n  cd ${folder}`;
  terminal.note(`
Next:${enter}
  aiq enqueue summarize ${sample.to} --wait    a first result
  aiq agents list                                           lists agents
  aiq doctor                                                checks the setup
With OPENAI_API_KEY set (also in .env), a model writes the answers; without, they are extracts.`);
}
