/** Needs: what a folder must be allowed by a person, one by one. Plain data. */

import { lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Agent } from '../agent/index.ts';
import type { Config, LoadedEnvironment } from '../config/index.ts';
import type { ProviderUse } from '../model/index.ts';

export type Need =
  /** The value of a variable goes to an address. */
  | { readonly kind: 'key'; readonly variable: string; readonly origin: string }
  /** Texts go to a server on this machine that is named nowhere. */
  | { readonly kind: 'text'; readonly origin: string }
  /** A module runs. Its real path. */
  | { readonly kind: 'code'; readonly module: string }
  /** A file or folder of another user is read. Its real path. */
  | { readonly kind: 'file'; readonly path: string; readonly uid: number };

/** The same need has the same text. */
export function keyOf(need: Need): string {
  switch (need.kind) {
    case 'key':
      return `key ${need.variable} ${need.origin}`;
    case 'text':
      return `text ${need.origin}`;
    case 'code':
      return `code ${need.module}`;
    case 'file':
      return `file ${need.uid} ${need.path}`;
  }
}

/** What it would do, as the end of a sentence that begins with "would". */
export function needText(need: Need, folder: string): string {
  switch (need.kind) {
    case 'key':
      return `send ${need.variable} to ${need.origin}`;
    case 'text':
      return `send your texts to the server at ${need.origin}, which aiq did not start`;
    case 'code':
      return `run ${nearPath(need.module, folder)}`;
    case 'file':
      return `go by ${nearPath(need.path, folder)}, which belongs to another user (uid ${need.uid})`;
  }
}

function nearPath(path: string, folder: string): string {
  const below = relative(folder, path);
  return below === '' || below.startsWith('..') ? path : below;
}

/** The needs of a provider. */
export function useNeeds({ baseURL, variables, isFound }: ProviderUse): Need[] {
  if (!URL.canParse(baseURL)) return [];
  const { origin } = new URL(baseURL);
  const keys = variables.map((variable): Need => ({ kind: 'key', variable, origin }));
  return isFound ? [{ kind: 'text', origin }, ...keys] : keys;
}

type AgentFiles = Pick<
  Agent,
  'dir' | 'file' | 'builtIn' | 'tools' | 'instructions' | 'prompt' | 'output'
>;

/** The needs of reading an agent, without running its code. */
export function agentNeeds(agent: AgentFiles): Need[] {
  if (agent.builtIn) return [];
  const { dir, file, instructions, prompt, output } = agent;
  const templates = [instructions, prompt, output.file, output.template];
  const beside = readdirSync(dir).map((name) => join(dir, name));
  const files = [dir, file, ...templates.flatMap((source) => source?.file ?? []), ...beside];
  return foreignNeeds([...files, ...modulesOf(agent)]);
}

/** The needs of doing an agent's jobs. */
export function jobNeeds(agent: AgentFiles): Need[] {
  if (agent.builtIn) return [];
  const modules = modulesOf(agent).map(
    (module): Need => ({ kind: 'code', module: realPath(module) }),
  );
  return [...agentNeeds(agent), ...modules];
}

function modulesOf({ dir, tools }: Pick<Agent, 'dir' | 'tools'>): string[] {
  return tools.filter((tool) => tool.startsWith('./')).map((tool) => join(dir, tool));
}

/** The package itself, as it was installed or cloned. */
const packageRoot = fileURLToPath(new URL('../../', import.meta.url));

/** One for each file that another user owns, or that is reached by a link of another user. */
export function foreignNeeds(files: readonly string[]): Need[] {
  const own = process.getuid?.();
  if (own === undefined) return [];
  return [...new Set(files)].flatMap((file) => {
    const uid = [lstatSync, statSync]
      .map((stat) => stat(file, { throwIfNoEntry: false })?.uid)
      .find((owner) => owner !== undefined && owner !== own);
    const path = realPath(file);
    return uid === undefined || isPackaged(path, uid) ? [] : [{ kind: 'file', path, uid }];
  });
}

/** Files of the package, with the package's owner, are trusted as the program is. */
function isPackaged(path: string, uid: number): boolean {
  return path.startsWith(packageRoot) && statSync(packageRoot).uid === uid;
}

function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

export type FolderParts = Pick<Config, 'file' | 'provider' | 'providers' | 'agentPaths'> &
  Pick<LoadedEnvironment, 'env' | 'envFile'>;

/** All needs of a folder, whatever the command. Reads its agents and runs nothing of theirs. */
export async function folderNeeds(parts: FolderParts): Promise<Need[]> {
  // Loaded when there is something to ask: most commands never do.
  const [{ discoverAgents }, { usesOf }] = await Promise.all([
    import('../agent/index.ts'),
    import('../model/index.ts'),
  ]);
  const { agents } = await discoverAgents(parts.agentPaths);
  return [...fileNeeds(parts), ...usesOf(parts).flatMap(useNeeds), ...agents.flatMap(jobNeeds)];
}

/** The needs of reading the configuration. */
export function fileNeeds({ file, envFile }: Pick<FolderParts, 'file' | 'envFile'>): Need[] {
  return foreignNeeds([file, envFile].filter((path) => path !== null));
}
