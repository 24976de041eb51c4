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
    const file = config.file === null ? 'no file, the defaults hold' : pathFromHere(config.file);
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

/** A row for each agent that `aiq agents validate` refuses, then one for the others. */
export async function checkAgents({ agentPaths }: Config): Promise<Check[]> {
  const { discoverAgents, shadowsShipped } = await import('../../../agent/index.ts');
  const { agentProblems, replacesBuiltIn } = await import('../../agent-files.ts');
  const { agents, broken } = await discoverAgents(agentPaths);
  const rows = broken.map(({ name, problems }) => refusedRow(name, problems));
  const sound: string[] = [];
  for (const agent of agents) {
    const problems = await agentProblems(agent);
    if (problems.length === 0)
      sound.push(agent.name + (shadowsShipped(agent) ? ` (${replacesBuiltIn})` : ''));
    else rows.push(refusedRow(agent.name, problems));
  }
  return [...rows, ok('agents', sound.length === 0 ? 'none is sound' : sound.join(', '))];
}

function refusedRow(name: string, problems: readonly Problem[]): Check {
  return fail('agent', 'invalid', `${name} did not pass its checks`, ...problems.map(placed));
}

function placed({ file, line, column, message }: Problem): string {
  return `${pathFromHere(file)}:${line}:${column}: ${message}`;
}

/** Tries in a folder beside it, which goes again, so that looking leaves nothing behind. */
export async function checkOutput({ output }: Config): Promise<Check> {
  const near = nearestFolder(output.dir);
  let probe: string | null = null;
  try {
    refuseObstacle(output.dir);
    probe = await mkdtemp(join(near, '.aiq-doctor-'));
    const { openOutput } = await import('../../../output/index.ts');
    await (await openOutput(probe)).close();
    return ok('output', `${pathFromHere(output.dir)} can be written and has hard links`);
  } catch (error) {
    const fix = 'Choose a folder on a local disk that you may write: output.dir in aiq.config.yaml';
    return fail('output', reportOf(error).exit, (error as Error).message, fix);
  } finally {
    if (probe !== null) await rm(probe, { recursive: true, force: true });
  }
}

const trustFix = 'Look at it, then allow it: aiq trust. More: aiq help trust';

/** Runs nothing of the folder and asks nobody. */
export async function checkTrust(session: Session, config: Config): Promise<Check> {
  const loaded = await session.loadedEnvironment();
  const trust = await session.trust();
  // A variable that is not set sends nothing, and a server that is only looked for may not be there.
  const needs = (await folderNeeds({ ...config, ...loaded })).filter((need) =>
    need.kind === 'key' ? loaded.env[need.variable] : need.kind !== 'text',
  );
  const missing = trust.missing(needs);
  if (missing.length > 0) {
    const texts = missing.map((need) => needText(need, trust.folder));
    return fail(
      'trust',
      'untrusted',
      'nobody has allowed yet what this folder would do',
      ...texts,
      trustFix,
    );
  }
  const unowned = trust.unowned(needs);
  if (unowned.length === 0) return ok('trust', 'nothing here needs to be allowed');
  return ok('trust', `allowed: ${unowned.map((need) => needText(need, trust.folder)).join(', ')}`);
}

/** Whether the configuration may be gone by at all. */
export async function isTrusted(session: Session, { file }: Config): Promise<boolean> {
  const { envFile } = await session.loadedEnvironment();
  return (await session.trust()).missing(fileNeeds({ file, envFile })).length === 0;
}
