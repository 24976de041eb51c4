/** Checks of the folder: configuration, trust, agents, and an output folder that is writable. */

import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Problem } from '../../../agent/index.ts';
import type { Config } from '../../../config/index.ts';
import { fileNeeds, folderNeeds, needText } from '../../../trust/index.ts';
import { reportOf } from '../../errors.ts';
import { pathFromHere } from '../../output/format.ts';
import type { Session } from '../../session.ts';
import { type Check, fail, ok } from './check.ts';
import { nearestFolder, refuseObstacle } from './machine.ts';

/** The configuration with its row; null when it cannot be used. */
export async function checkConfig(session: Session): Promise<[Check, Config | null]> {
  try {
    const config = await session.foundConfig();
    const file =
      config.file === null ? 'no file, the defaults are used' : pathFromHere(config.file);
    return [ok('config', `${file}${await envFileText(session)}`), config];
  } catch (error) {
    const { message, details } = reportOf(error);
    const [first = '', ...rest] = message.split('\n');
    return [fail('config', 'invalid', first, ...rest, ...details), null];
  }
}

async function envFileText(session: Session): Promise<string> {
  const { envFile } = await session.loadedEnvironment();
  return envFile === null ? '' : `, and ${pathFromHere(envFile)}`;
}

/** One row for each invalid agent, then one for all valid agents. */
export async function checkAgents({ agentPaths }: Config): Promise<Check[]> {
  const { discoverAgents, shadowsShipped } = await import('../../../agent/index.ts');
  const { agentProblems, replacesBuiltIn } = await import('../../agent-files.ts');
  const { agents, broken } = await discoverAgents(agentPaths);
  const rows = broken.map(({ name, problems }) => refusedRow(name, problems));
  const valid: string[] = [];
  for (const agent of agents) {
    const problems = await agentProblems(agent);
    if (problems.length === 0)
      valid.push(agent.name + (shadowsShipped(agent) ? ` (${replacesBuiltIn})` : ''));
    else rows.push(refusedRow(agent.name, problems));
  }
  return [...rows, ok('agents', valid.length === 0 ? 'none is valid' : valid.join(', '))];
}

function refusedRow(name: string, problems: readonly Problem[]): Check {
  return fail('agent', 'invalid', `${name} is invalid`, ...problems.map(placed));
}

function placed({ file, line, column, message }: Problem): string {
  return `${pathFromHere(file)}:${line}:${column}: ${message}`;
}

/** Probes in a temporary folder beside the output folder, so that nothing is left behind. */
export async function checkOutput({ output }: Config): Promise<Check> {
  const near = nearestFolder(output.dir);
  let probe: string | null = null;
  try {
    refuseObstacle(output.dir);
    probe = await mkdtemp(join(near, '.aiq-doctor-'));
    const { OutputFolder } = await import('../../../output/index.ts');
    await (await OutputFolder.open(probe)).close();
    return ok('output', `${pathFromHere(output.dir)} is writable and supports hard links`);
  } catch (error) {
    const fix = 'Choose a folder on a local disk that you may write: output.dir in aiq.config.yaml';
    return fail('output', reportOf(error).exit, (error as Error).message, fix);
  } finally {
    if (probe !== null) await rm(probe, { recursive: true, force: true });
  }
}

const trustFix = 'Review and allow it: aiq trust. More: aiq help trust';

/** Runs no code of the folder and asks no question. */
export async function checkTrust(session: Session, config: Config): Promise<Check> {
  const loaded = await session.loadedEnvironment();
  const trust = await session.trust();
  // A variable that is not set sends nothing, and a server that is only probed for may not exist.
  const needs = (await folderNeeds({ ...config, ...loaded })).filter((need) =>
    need.kind === 'key' ? loaded.env[need.variable] : need.kind !== 'text',
  );
  const missing = trust.missing(needs);
  if (missing.length > 0) {
    const texts = missing.map((need) => needText(need, trust.folder));
    return fail(
      'trust',
      'untrusted',
      'this folder is not trusted yet; it would',
      ...texts,
      trustFix,
    );
  }
  const unowned = trust.unowned(needs);
  if (unowned.length === 0) return ok('trust', 'nothing to allow');
  return ok('trust', `allowed: ${unowned.map((need) => needText(need, trust.folder)).join(', ')}`);
}

/** Whether the configuration may be used at all. */
export async function isTrusted(session: Session, { file }: Config): Promise<boolean> {
  const { envFile } = await session.loadedEnvironment();
  return (await session.trust()).missing(fileNeeds({ file, envFile })).length === 0;
}
