/** `aiq trust`: allows the folder to use keys and run code; lists and removes permissions. */

import {
  folderNeeds,
  listRecords,
  type Need,
  needText,
  recordsFolder,
  removeRecord,
  writeRecord,
} from '../../trust/index.ts';
import { usageError } from '../errors.ts';
import type { ExitName } from '../exit-codes.ts';
import { oneLine } from '../output/format.ts';
import type { Terminal } from '../output/terminal.ts';
import type { Session } from '../session.ts';

interface TrustFlags {
  readonly list?: boolean;
  readonly remove?: boolean;
}

export async function trust(session: Session, flags: TrustFlags): Promise<ExitName> {
  if (flags.list === true && flags.remove === true) {
    throw usageError('--list and --remove cannot be used together');
  }
  const records = recordsFolder(process.env);
  if (flags.list === true) {
    for (const { folder, needs } of listRecords(records))
      printNeeds(session.terminal, folder, needs);
    return 'ok';
  }
  const { folder } = await session.trust();
  if (flags.remove !== true) return allow(session, records, folder);
  const did = removeRecord(records, folder) ? 'removed' : 'nothing was allowed';
  session.terminal.note(`${did}: ${oneLine(folder)}`);
  return 'ok';
}

/** Replaces the earlier permissions, so that a need that returns is asked for again. */
async function allow(session: Session, records: string, folder: string): Promise<ExitName> {
  const { terminal } = session;
  const [config, loaded] = [await session.foundConfig(), await session.loadedEnvironment()];
  const needs = (await session.trust()).unowned(await folderNeeds({ ...config, ...loaded }));
  printNeeds(terminal, folder, needs);
  if (needs.length === 0) {
    terminal.note('nothing to allow: this folder sends no key and runs no code');
    removeRecord(records, folder);
    return 'ok';
  }
  writeRecord(records, folder, needs);
  terminal.note('allowed from now on. To undo: aiq trust --remove');
  return 'ok';
}

function printNeeds(terminal: Terminal, folder: string, needs: readonly Need[]): void {
  const texts = needs.map((need) => needText(need, folder));
  if (terminal.json) terminal.result(JSON.stringify({ folder, allowed: texts }));
  else for (const text of texts) terminal.result(`${oneLine(folder)}\t${oneLine(text)}`);
}
