/** `aiq agents new`: a folder with a working agent, from the template or from another agent. */

import { existsSync } from 'node:fs';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Agent } from '../../../agent/index.ts';
import { makeFolder } from '../../../base/index.ts';
import { agentTemplate } from '../../agent-template.ts';
import { CliError, usageError } from '../../errors.ts';
import type { ExitName } from '../../exit-codes.ts';
import { pathFromHere } from '../../output/format.ts';
import { schemaLine, withSchemaLine } from '../../schema-reference.ts';
import type { Session } from '../../session.ts';

const manifest = 'agent.yaml';
/** Names that a folder cannot have on Windows. */
const reservedName = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])$/;

/** Creates the agent in the nearest agent folder; never overwrites. */
export async function newAgent(
  session: Session,
  name: string,
  flags: { readonly from?: string },
): Promise<ExitName> {
  const { isAgentName, loadAgent, packageRoot } = await import('../../../agent/index.ts');
  if (!isAgentName(name)) {
    throw usageError(
      `${JSON.stringify(name)} is not an agent name`,
      'Names are words of a-z and 0-9, joined by single dashes, such as meeting-notes.',
    );
  }
  if (reservedName.test(name)) {
    throw usageError(`"${name}" is reserved by Windows`, 'Choose another name.');
  }
  const { agentPaths } = await session.config();
  const [nearest = 'agents'] = agentPaths;
  const dir = join(nearest, name);
  if (existsSync(dir)) {
    throw usageError(`${pathFromHere(dir)} already exists; nothing was written`);
  }
  const from = flags.from === undefined ? null : await loadAgent(flags.from, agentPaths);
  const schema = schemaLine(packageRoot(), 'agent.schema.json', dir);
  try {
    await (from === null ? writeTemplate(dir, name, schema) : copyAgent(from, dir, schema));
    await loadAgent(name, agentPaths);
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw asRefusal(error, name, from);
  }
  if (existsSync(join(packageRoot(), 'agents', name, manifest))) {
    session.terminal.warn(`agent "${name}" replaces the built-in one here`);
  }
  printNext(session, name, join(dir, manifest));
  return 'ok';
}

async function writeTemplate(dir: string, name: string, schema: string): Promise<void> {
  makeFolder(dir);
  await writeFile(join(dir, manifest), agentTemplate(name, schema), { flag: 'wx' });
}

/** Copies the folder without hidden and installed files, with the new name in the manifest. */
async function copyAgent(from: Agent, dir: string, schema: string): Promise<void> {
  await cp(from.dir, dir, {
    recursive: true,
    errorOnExist: true,
    force: false,
    filter: (path) => path === from.dir || !/^\.|^node_modules$/.test(basename(path)),
  });
  const file = join(dir, manifest);
  const text = await readFile(file, 'utf8');
  const renamed = text.replace(/^name:.*$/m, `name: ${basename(dir)}`);
  await writeFile(file, withSchemaLine(renamed, schema));
}

/** The error for a copy that is not valid under its new name. */
function asRefusal(error: unknown, name: string, from: Agent | null): unknown {
  if (from === null || !(error instanceof Error) || error.name !== 'BrokenAgentError') return error;
  const message = `agent "${from.name}" cannot be copied as "${name}"; nothing was written`;
  return new CliError('invalid', message, error.message.split('\n'));
}

function printNext({ terminal }: Session, name: string, file: string): void {
  if (terminal.json) terminal.result(JSON.stringify({ name, file }));
  else terminal.result(pathFromHere(file));
  terminal.note(`Next, after editing it:
  aiq agents validate ${name}
  aiq agents render ${name} <file>      prints the prompt
  aiq enqueue ${name} <file> --wait`);
}
