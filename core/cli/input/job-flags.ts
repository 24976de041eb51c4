/** The flags of `enqueue` for when and how a job runs. */

import { isKey, isTag, type JobTerms, limits, type Priority } from '../../job-queue/index.ts';
import { usageError } from '../errors.ts';
import { parseMoment } from './values.ts';

export interface JobFlags {
  readonly priority?: Priority;
  readonly runAt?: string;
  readonly expires?: string;
  readonly tag?: readonly string[];
  readonly parkKey?: string;
}

/**
 * The terms of a job from its flags.
 * @throws CliError `usage`
 */
export function jobTermsOf(flags: JobFlags, nowMs: number): JobTerms {
  const terms = {
    priority: flags.priority,
    runAtMs: momentOf('--run-at', flags.runAt, nowMs),
    expiresAtMs: momentOf('--expires', flags.expires, nowMs),
    tags: tagsOf(flags.tag),
    parkKey: flags.parkKey === undefined ? undefined : checkKey('--park-key', flags.parkKey),
  };
  const { runAtMs = nowMs, expiresAtMs = Number.POSITIVE_INFINITY } = terms;
  if (expiresAtMs <= nowMs) {
    throw usageError(`--expires: ${flags.expires} is in the past`, 'Give a future time.');
  }
  if (expiresAtMs <= runAtMs) {
    throw usageError('--expires must be after --run-at: the job would never run');
  }
  return terms;
}

/**
 * A key as `--park-key` and `aiq signal` take it.
 * @throws CliError `usage`
 */
export function checkKey(name: string, key: string): string {
  if (isKey(key)) return key;
  const rule = `A key is 1 to ${limits.keyBytesMax} printable ASCII characters without spaces.`;
  throw usageError(`${name}: ${JSON.stringify(key)} is not a key`, rule, 'Example: approval:7');
}

function momentOf(flag: string, text: string | undefined, nowMs: number): number | undefined {
  return text === undefined ? undefined : parseMoment(flag, text, { nowMs, durations: 'ahead' });
}

function tagsOf(tags: readonly string[] | undefined): readonly string[] | undefined {
  const wrong = tags?.find((tag) => !isTag(tag));
  if (wrong !== undefined) {
    const rule = `A tag is 1 to ${limits.tagBytesMax} printable ASCII characters without spaces.`;
    throw usageError(`--tag: ${JSON.stringify(wrong)} is not a tag`, rule);
  }
  const different = tags === undefined ? undefined : [...new Set(tags)];
  if (different !== undefined && different.length > limits.tagsMax) {
    throw usageError(`--tag: ${different.length} tags; the maximum is ${limits.tagsMax}`);
  }
  return different;
}
