/**
 * Who a job is: its 128-bit id, from its content unless the user says otherwise, and the digest of
 * its content. The same command twice makes the same id, so the second one finds the first's job.
 */

import { hash, randomBytes } from 'node:crypto';
import { idBytes, idToText } from '../protocol/index.ts';

/** `content`: the same content is the same job. `key`: the user's key decides. `random`: always new. */
export type JobIdentity = 'content' | { readonly key: string } | { readonly random: true };

/** What a job is made of. */
export interface JobContent {
  /** Name of the agent. */
  readonly agent: string;
  /** SHA-256 of the agent's definition, hexadecimal. */
  readonly agentDigest: string;
  /** The validated input: a JSON value. */
  readonly input: unknown;
  /** Absolute folder that the outputs go to; absent when the consumer decides. */
  readonly outputDir?: string | undefined;
}

/** The same, with the canonical text of its input. */
type HashedContent = Omit<JobContent, 'input'> & {
  readonly queue: string;
  readonly inputText: string;
};

/**
 * The id of a job, and 16 bytes that differ when two jobs of one id differ in content or queue. Each agent has
 * keys of its own. The content is hashed once for both: it is most of what making a job costs. No other
 * job has a random id, so its content is not compared.
 */
export function identify(
  content: HashedContent,
  identity: JobIdentity,
): { readonly id: string; readonly digest: Uint8Array } {
  if (typeof identity === 'object' && 'random' in identity) {
    const digest = new Uint8Array(randomBytes(idBytes));
    return { id: idToText(digest), digest };
  }
  const contentHash = contentHashOf(content);
  const digest = firstHalf(sha256('content', content.queue, contentHash));
  const idHash = identity === 'content' ? contentHash : sha256('key', content.agent, identity.key);
  return { id: idToText(firstHalf(idHash)), digest };
}

/** The id of the job that follows on one of the same content. */
export function idAfter(id: string): string {
  return idToText(firstHalf(sha256('after', id)));
}

function contentHashOf({ agentDigest, inputText, outputDir }: HashedContent): string {
  return sha256('job', agentDigest, inputText, outputDir ?? '');
}

/** Hexadecimal, over the parts, each behind its length so that no two lists of parts run together. */
function sha256(...parts: readonly string[]): string {
  let text = '';
  for (const part of parts) text += `${Buffer.byteLength(part)}:${part}`;
  return hash('sha256', text);
}

function firstHalf(digest: string): Uint8Array {
  return new Uint8Array(Buffer.from(digest.slice(0, 2 * idBytes), 'hex'));
}
