/** Where jobs are made: written in their bodies, so that a consumer knows its own from those of others. */

import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Place } from './new-job.ts';

/** This machine, and the folder of the configuration, with no link in its path. */
export function placeOf(baseDir: string): Place {
  const dir = resolve(baseDir);
  try {
    return { host: hostname(), dir: realpathSync(dir) };
  } catch {
    return { host: hostname(), dir };
  }
}

/** @param isOneMachine everybody at the broker is on one machine, whatever names it had */
export function isSamePlace(one: Place, other: Place, isOneMachine: boolean): boolean {
  return one.dir === other.dir && (isOneMachine || one.host === other.host);
}

/** What a job is parked on that was made with a definition which its consumer does not have. */
export interface Definition {
  readonly madeIn: Place | undefined;
  /** Hexadecimal. */
  readonly digest: string;
}

const keyPattern = /^definition:([0-9a-f]{16}|-)\.([0-9a-f]{16}|-):([0-9a-f]{16})$/;

export function definitionKey({ madeIn, digest }: Definition): string {
  const [host, dir] = madeIn === undefined ? ['-', '-'] : [mark(madeIn.host), mark(madeIn.dir)];
  return `definition:${host}.${dir}:${digest.slice(0, 16)}`;
}

/** Whether the key is that of a job of this place, or of a definition that is here as well. */
export function isKeyOf(
  key: string,
  here: Place,
  {
    digests,
    isOneMachine,
  }: { readonly digests: readonly string[]; readonly isOneMachine: boolean },
): boolean {
  const [, host, dir, digest = ''] = keyPattern.exec(key) ?? [];
  if (host === undefined) return false;
  if (digests.some((one) => one.startsWith(digest))) return true;
  return dir === mark(here.dir) && (isOneMachine || host === mark(here.host));
}

function mark(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
