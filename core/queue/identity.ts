/**
 * Who a job is: its 128-bit id, from its content unless the user says otherwise, and the digest of
 * its content. The same command twice makes the same id, so the second one finds the first's job.
 */

import { createHash, randomBytes } from 'node:crypto';
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

/** The id that a job of this content gets. Keys are told apart by agent. */
export function jobIdOf(content: JobContent, identity: JobIdentity = 'content'): string {
  if (identity === 'content') {
    const { agentDigest, input, outputDir } = content;
    return idToText(hash('job', agentDigest, canonicalJson(input), outputDir ?? ''));
  }
  if ('key' in identity) return idToText(hash('key', content.agent, identity.key));
  return idToText(randomBytes(idBytes));
}

/** 16 bytes that differ when two jobs of one id differ in content. */
export function contentDigestOf(content: JobContent & { readonly queue: string }): Uint8Array {
  const { queue, agentDigest, input, outputDir } = content;
  return hash('content', queue, agentDigest, canonicalJson(input), outputDir ?? '');
}

/** SHA-256 over the parts, each behind its length so that no two lists of parts run together. */
function hash(...parts: readonly string[]): Uint8Array {
  const sha256 = createHash('sha256');
  for (const part of parts) sha256.update(`${Buffer.byteLength(part)}:`).update(part);
  return new Uint8Array(sha256.digest().subarray(0, idBytes));
}
