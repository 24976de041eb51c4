/** `aiq init`: a folder to begin in. What is there already is kept as it is. */

import { constants } from 'node:fs';
import { copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { makeFolder } from '../../files/index.ts';
import { agentTemplate } from '../agent-template.ts';
import { CliError, usageError } from '../errors.ts';
import type { ExitName } from '../exit-codes.ts';
import { pathFromHere } from '../paths.ts';
import { schemaLine, withSchemaLine } from '../schema-reference.ts';
import type { Session } from '../session.ts';

const exampleAgent = 'one-line';
/** A real text in the public domain, where the `search` agent looks by default. */
const sample = { from: 'examples/texts/roosevelt-four-freedoms.txt', to: 'docs/four-freedoms.txt' };

/** Puts one file there; throws `EEXIST` when something has its name. */
type Put = (path: string) => Promise<void>;

/** The agents that ship with aiq need no copy; one commented agent shows how to make another. */
export async function init(session: Session, folder: string | undefined): Promise<ExitName> {
  const dir = resolve(folder ?? '.');
  await prepareFolder(dir);
  const { packageRoot } = await import('../../agent/index.ts');
  const root = packageRoot();
  const files: readonly (readonly [name: string, put: Put])[] = [
    ['aiq.config.yaml', (path) => putConfig(root, path)],
    [`agents/${exampleAgent}/agent.yaml`, (path) => putAgent(root, path)],
    [sample.to, (path) => copyFile(join(root, sample.from), path, constants.COPYFILE_EXCL)],
    ['.gitignore', (path) => writeFile(path, '.aiq/\nout/\n.env\n', { flag: 'wx' })],
  ];
  const { terminal } = session;
  for (const [name, put] of files) {
    const path = join(dir, name);
    const created = await putOnce(path, put);
    if (terminal.json) terminal.result(JSON.stringify({ path, created }));
    else if (created) terminal.result(pathFromHere(path));
    else terminal.note(`kept ${pathFromHere(path)}, which was there already`);
  }
  tellNext(session, folder);
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
    await mkdir(dirname(path), { recursive: true });
    await put(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (code !== 'ENOTDIR') throw error;
    throw new CliError('usage', `${pathFromHere(dirname(path))} is a file, not a folder`, [
      'Files written before this one stay. Move it away, or name another folder.',
    ]);
  }
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

function tellNext({ terminal }: Session, folder: string | undefined): void {
  const enter = folder === undefined || folder === '.' ? '' : `\n  cd ${folder}`;
  terminal.note(`
Next:${enter}
  aiq enqueue summarize ${sample.to} --wait    a first result
  aiq agents list                                           what there is
  aiq doctor                                                what is missing
With OPENAI_API_KEY set (also in .env), a model writes the answers; without, they are extracts.`);
}
