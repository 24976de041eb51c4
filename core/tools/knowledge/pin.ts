/** Makes the knowledge files of an agent part of its digest, and so of its jobs' ids. */

import { createHash } from 'node:crypto';
import type { Agent } from '../../agent/index.ts';
import { listFiles, readListed } from './files.ts';
import { type LeftOut, leftOut, noText, textOf } from './left-out.ts';

export interface Pinned {
  /** The agent with a digest that covers the present content of its knowledge files. */
  readonly agent: Agent;
  /** Number of files; null for an agent that reads none. */
  readonly files: number | null;
  /** Files that belong to it and are not searched; absent where there are none. */
  readonly leftOut?: readonly LeftOut[];
}

/**
 * To be used when jobs are made: the same question over changed files is then another job. Costs an
 * agent without knowledge nothing.
 */
export async function pinKnowledge(agent: Agent, baseDir: string): Promise<Pinned> {
  if (agent.tools.length === 0 || agent.knowledge.length === 0) return { agent, files: null };
  const { files, leftOut: over } = await listFiles(agent.knowledge, baseDir);
  const out: LeftOut[] = [...over];
  const hash = createHash('sha256').update(agent.digest);
  for (const { path } of files) {
    const bytes = (await readListed(baseDir, path)) ?? Buffer.alloc(0);
    if (textOf(bytes) === null) out.push(leftOut(path, noText));
    const content = createHash('sha256').update(bytes).digest('hex');
    hash.update(`${Buffer.byteLength(path)}:${path}:${bytes.length}:${content}`);
  }
  const pinned = { agent: { ...agent, digest: hash.digest('hex') }, files: files.length };
  return out.length === 0 ? pinned : { ...pinned, leftOut: out };
}
