/**
 * What a person has allowed, kept in the user's own state folder: one file for each folder, named by
 * its real path. A record that another user owns or may change, or whose digest is not that of what
 * it lists, is not believed.
 */

import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { openOwnFolder } from '../base/index.ts';
import { keyOf, type Need } from './need.ts';

export interface TrustRecord {
  readonly version: number;
  /** Real path. */
  readonly folder: string;
  readonly needs: readonly Need[];
  /** SHA-256 (hex) over exactly these: addresses, names of variables, paths. */
  readonly digest: string;
}

type Environment = { readonly [name: string]: string | undefined };

/** Where records are kept; it need not be there. */
export function recordsFolder(env: Environment): string {
  const named = env['XDG_STATE_HOME'] ?? '';
  const state = isAbsolute(named) ? named : join(env['HOME'] || homedir(), '.local', 'state');
  return join(state, 'aiq', 'trust');
}

/** What was allowed for the folder. */
export function readRecord(dir: string, folder: string): readonly Need[] {
  const record = readFile(join(dir, fileName(folder)));
  return record?.folder === folder ? record.needs : [];
}

/** All that can be believed, by folder. */
export function listRecords(dir: string): TrustRecord[] {
  const records = namesIn(dir).flatMap((name) => readFile(join(dir, name)) ?? []);
  return records.toSorted((a, b) => (a.folder < b.folder ? -1 : 1));
}

/**
 * Whole or not at all, in place of what was allowed for the folder before.
 * @throws FolderError, Error of the system when it cannot be kept
 */
export function writeRecord(dir: string, folder: string, needs: readonly Need[]): void {
  const record: TrustRecord = { version: 1, folder, needs, digest: digestOf(needs) };
  closeSync(openOwnFolder(dir).descriptor);
  const file = join(dir, fileName(folder));
  const staged = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(staged, `${JSON.stringify(record, null, 2)}\n`, { flag: 'wx', mode: 0o600 });
    renameSync(staged, file);
  } catch (error) {
    rmSync(staged, { force: true });
    throw error;
  }
}

/** False when nothing was allowed for the folder. */
export function removeRecord(dir: string, folder: string): boolean {
  const isThere = namesIn(dir).includes(fileName(folder));
  if (isThere) rmSync(join(dir, fileName(folder)));
  return isThere;
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
}

function fileName(folder: string): string {
  return `${createHash('sha256').update(folder).digest('hex')}.json`;
}

function digestOf(needs: readonly Need[]): string {
  return createHash('sha256').update(needs.map(keyOf).sort().join('\n')).digest('hex');
}

/** What group and others must not have: the right to change it. */
const writeRight = 0o022;

function readFile(file: string): TrustRecord | null {
  try {
    const descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const { uid, mode } = fstatSync(descriptor);
      if (uid !== process.getuid?.() || (mode & writeRight) !== 0) return null;
      const record = JSON.parse(readFileSync(descriptor, 'utf8')) as TrustRecord;
      const isSound = record.version === 1 && digestOf(record.needs) === record.digest;
      return isSound ? record : null;
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return null;
  }
}
