/**
 * Discovers agents: folders with an `agent.yaml` under the agent paths, the nearest path first, the
 * agents that ship with aiq last. A broken folder is reported and does not affect the others.
 */

import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { didYouMean } from '../yaml/index.ts';
import type { Agent, BrokenAgent, Problem } from './agent.ts';
import { BrokenAgentError, UnknownAgentError } from './errors.ts';
import { type AgentDefaults, isAgentName, manifestName, readAgent } from './manifest/read-agent.ts';
import { shippedAgentsPath } from './package-root.ts';

const misnamedManifest = 'agent.yml';

/** Every agent of all paths, sorted by name; of two with one name the nearer path's. */
export async function discoverAgents(
  paths: readonly string[],
  defaults: AgentDefaults = {},
): Promise<{ agents: Agent[]; broken: BrokenAgent[] }> {
  const { default: fastGlob } = await import('fast-glob');
  const found = new Map<string, { file: string; builtIn: boolean }>();
  for (const root of agentRoots(paths)) {
    // Agent folders may be links that the operator placed; the pattern's depth bounds the walk.
    const files = await fastGlob('*/agent.{yaml,yml}', {
      cwd: root.path,
      absolute: true,
      dot: false,
      suppressErrors: true,
    });
    for (const file of files.sort()) {
      const name = basename(dirname(file));
      const known = found.get(name);
      if (known === undefined) found.set(name, { file, builtIn: root.builtIn });
    }
  }
  const agents: Agent[] = [];
  const broken: BrokenAgent[] = [];
  for (const name of [...found.keys()].sort()) {
    const { file, builtIn } = found.get(name) ?? { file: '', builtIn: false };
    const result =
      basename(file) === manifestName
        ? await readAgent(dirname(file), builtIn, defaults)
        : { ok: false as const, problems: [misnamed(file)] };
    if (result.ok) agents.push(result.agent);
    else broken.push({ name, file, problems: result.problems });
  }
  return { agents, broken };
}

/** Whether an agent of the user's own hides one that ships with aiq. */
export function shadowsShipped({ name, builtIn }: Pick<Agent, 'name' | 'builtIn'>): boolean {
  return !builtIn && existsSync(join(shippedAgentsPath(), name, manifestName));
}

/**
 * One agent by name, without reading any other.
 * @throws UnknownAgentError when no path has a folder of that name
 * @throws BrokenAgentError when the folder cannot be used
 */
export async function loadAgent(
  name: string,
  paths: readonly string[],
  defaults: AgentDefaults = {},
): Promise<Agent> {
  const roots = agentRoots(paths);
  if (isAgentName(name)) {
    for (const root of roots) {
      const dir = join(root.path, name);
      const yml = join(dir, misnamedManifest);
      if (existsSync(join(dir, manifestName))) return await load(dir, root.builtIn, defaults);
      if (existsSync(yml)) throw new BrokenAgentError(name, [misnamed(yml)]);
    }
  }
  const available = agentNames(roots);
  const near = didYouMean(name, available);
  throw new UnknownAgentError(name, near === null ? [] : [near], available);
}

async function load(dir: string, builtIn: boolean, defaults: AgentDefaults): Promise<Agent> {
  const result = await readAgent(dir, builtIn, defaults);
  if (!result.ok) throw new BrokenAgentError(basename(dir), result.problems);
  return result.agent;
}

function misnamed(file: string): Problem {
  return { file, line: 1, column: 1, message: `rename this file to ${manifestName}` };
}

interface Root {
  readonly path: string;
  readonly builtIn: boolean;
}

/** The given paths, then the shipped agents; a folder that is named twice counts once. */
function agentRoots(paths: readonly string[]): Root[] {
  const shipped = realPath(shippedAgentsPath());
  const roots = new Map<string, Root>();
  for (const path of [...paths, shippedAgentsPath()]) {
    const real = realPath(path);
    if (real !== null && !roots.has(real)) roots.set(real, { path, builtIn: real === shipped });
  }
  return [...roots.values()];
}

function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

function agentNames(roots: readonly Root[]): string[] {
  const names = roots.flatMap(({ path }) =>
    readdirSync(path).filter((name) => existsSync(join(path, name, manifestName))),
  );
  return [...new Set(names)].sort();
}
