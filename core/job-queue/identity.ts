/**
 * Who a job is: its 128-bit id, from its content unless the user says otherwise, and the digest of
 * its content. The same command twice makes the same id, so the second one finds the first's job.
 */

import { hash, randomBytes } from 'node:crypto';
import { idBytes, idToText } from '../protocol/index.ts';
import { canonicalJson } from './canonical-json.ts';

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

/** The id that a job of this content gets. Each agent has keys of its own. */
export function jobIdOf(content: JobContent, identity: JobIdentity = 'content'): string {
  return idFrom(identity === 'content' ? contentHashOf(content) : noHash, content, identity);
}

/**
 * The id of a job, and 16 bytes that differ when two jobs of one id differ in content or queue. The
 * content is hashed once for both: it is most of what making a job costs.
 */
export function identify(
  content: JobContent & { readonly queue: string },
  identity: JobIdentity = 'content',
): { readonly id: string; readonly digest: Uint8Array } {
  const contentHash = contentHashOf(content);
  const digest = sha256('content', content.queue, contentHash.toString('hex'));
  return { id: idFrom(contentHash, content, identity), digest: firstHalf(digest) };
}

/** The id of the job that follows on one of the same content. */
export function idAfter(id: string): string {
  return idToText(sha256('after', id));
}

const noHash = Buffer.alloc(0);

function idFrom(contentHash: Buffer, { agent }: JobContent, identity: JobIdentity): string {
  if (identity === 'content') return idToText(contentHash);
  if ('key' in identity) return idToText(sha256('key', agent, identity.key));
  return idToText(randomBytes(idBytes));
}

function contentHashOf({ agentDigest, input, outputDir }: JobContent): Buffer {
  return sha256('job', agentDigest, canonicalJson(input), outputDir ?? '');
}

/** Over the parts, each behind its length so that no two lists of parts run together. */
function sha256(...parts: readonly string[]): Buffer {
  let text = '';
  for (const part of parts) text += `${Buffer.byteLength(part)}:${part}`;
  return hash('sha256', text, 'buffer');
}

function firstHalf(digest: Uint8Array): Uint8Array {
  return new Uint8Array(digest.subarray(0, idBytes));
}
