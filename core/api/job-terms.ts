/** Checks the options of when and how a job is done, before anything is sent. */

import { AiqError, isKey, isTag, type JobTerms, limits, priorities } from '../job-queue/index.ts';
import { checkList, checkText, mustBe } from './check-options.ts';
import type { EnqueueOptions } from './contract.ts';

/**
 * @throws TypeError for an option of the wrong kind
 * @throws AiqError `BAD_REQUEST` for a value that no job may have
 */
export function jobTermsOf(options: EnqueueOptions): JobTerms {
  const { delayMs = 0, priority, tags, parkKey } = options;
  if (!Number.isSafeInteger(delayMs) || delayMs < 0) {
    const rule = 'must be a whole number of milliseconds, 0 or more';
    throw bad(`delayMs ${rule}, not ${delayMs}`);
  }
  if (priority !== undefined && !Object.hasOwn(priorities, priority)) {
    throw mustBe('priority', `one of ${Object.keys(priorities).join(', ')}`, priority);
  }
  checkText('parkKey', parkKey);
  if (parkKey !== undefined && !isKey(parkKey)) throw bad(`parkKey ${rules.key}`);
  return {
    delayMs,
    priority,
    tags: tagsOf(tags),
    parkKey,
    runAtMs: momentOf('runAt', options.runAt),
    expiresAtMs: momentOf('expiresAt', options.expiresAt),
  };
}

const rules = {
  key: `must have 1 to ${limits.keyBytesMax} printable ASCII characters without spaces`,
  tags: `must be at most ${limits.tagsMax} words of 1 to ${limits.tagBytesMax} printable ASCII characters`,
} as const;

function tagsOf(tags: readonly string[] | undefined): readonly string[] | undefined {
  checkList('tags', tags);
  if (tags === undefined) return undefined;
  if (tags.length > limits.tagsMax || !tags.every(isTag)) throw bad(`tags ${rules.tags}`);
  return tags;
}

/** Milliseconds since 1970. */
export function momentOf(option: string, at: Date | undefined): number | undefined {
  if (at === undefined) return undefined;
  const ms = at instanceof Date ? at.getTime() : Number.NaN;
  if (ms >= 0) return ms;
  throw mustBe(option, 'a Date after 1970', at);
}

function bad(what: string): AiqError {
  return new AiqError('BAD_REQUEST', what);
}
