/**
 * Marks of session ids. An id is a secret: whoever has it may settle, resume and end the session, so
 * it is in no answer, and what is kept of it for long is less than the id.
 */

import { idBytes, idFromText, idToText } from '../../../protocol/index.ts';
import type { StateOptions } from './broker-state.ts';

const domain = new TextEncoder().encode('aiq session ');

/**
 * What answers tell in place of a session id: the first 16 bytes of the SHA-256 of `aiq session ` and
 * the id. The same session has the same mark everywhere; nobody finds 16 random bytes from it.
 */
export function sessionMark(session: string, newHash: StateOptions['newHash']): string {
  const id = new Uint8Array(idBytes);
  idFromText(session, id, 0);
  const hash = newHash();
  hash.update(domain);
  hash.update(id);
  return idToText(hash.digest().subarray(0, idBytes));
}

/**
 * 32 bits to recognize who had a job's newest lease, after it ended, without keeping the id: enough
 * to tell a repeated settle from one of a session that never had the lease. Never 0 (FNV-1a).
 */
export function holderMark(session: string): number {
  let mark = 0x811c9dc5;
  for (let index = 0; index < session.length; index++) {
    mark = Math.imul(mark ^ session.charCodeAt(index), 0x01000193);
  }
  return mark >>> 0 || 1;
}
