/** All that a folder may need a person's word for, whatever command is given. */

import type { Config, LoadedEnvironment } from '../config/index.ts';
import { foreignNeeds, jobNeeds, type Need, useNeeds } from './need.ts';

export type FolderParts = Pick<Config, 'file' | 'provider' | 'providers' | 'agentPaths'> &
  Pick<LoadedEnvironment, 'env' | 'envFile'>;

/** Reads the agents, and runs nothing of theirs. */
export async function folderNeeds(parts: FolderParts): Promise<Need[]> {
  // Loaded when there is something to ask: most commands never do.
  const [{ discoverAgents }, { usesOf }] = await Promise.all([
    import('../agent/index.ts'),
    import('../model/index.ts'),
  ]);
  const { agents } = await discoverAgents(parts.agentPaths);
  return [...fileNeeds(parts), ...usesOf(parts).flatMap(useNeeds), ...agents.flatMap(jobNeeds)];
}

/** What it means to go by the configuration. */
export function fileNeeds({ file, envFile }: Pick<FolderParts, 'file' | 'envFile'>): Need[] {
  return foreignNeeds([file, envFile].filter((path) => path !== null));
}
