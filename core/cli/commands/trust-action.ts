/** `aiq trust`: allows what the folder would do with keys and code, and tells what was allowed. */

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
    throw usageError('--list and --remove contradict each other');
  }
  const records = recordsFolder(process.env);
  if (flags.list === true) {
    for (const { folder, needs } of listRecords(records)) tell(session.terminal, folder, needs);
    return 'ok';
  }
  const { folder } = await session.trust();
  if (flags.remove !== true) return allow(session, records, folder);
  const did = removeRecord(records, folder) ? 'forgotten' : 'nothing was allowed';
  session.terminal.note(`${did}: ${oneLine(folder)}`);
  return 'ok';
}

/** In place of what was allowed before, so that what is gone must be asked for when it comes back. */
async function allow(session: Session, records: string, folder: string): Promise<ExitName> {
  const { terminal } = session;
  const [config, loaded] = [await session.foundConfig(), await session.loadedEnvironment()];
  const needs = (await session.trust()).unowned(await folderNeeds({ ...config, ...loaded }));
  tell(terminal, folder, needs);
  if (needs.length === 0) {
    terminal.note('nothing here needs to be allowed: no key leaves, and no code runs');
    removeRecord(records, folder);
    return 'ok';
  }
  writeRecord(records, folder, needs);
  terminal.note('allowed from now on; back: aiq trust --remove');
  return 'ok';
}

function tell(terminal: Terminal, folder: string, needs: readonly Need[]): void {
  const texts = needs.map((need) => needText(need, folder));
  if (terminal.json) terminal.result(JSON.stringify({ folder, allowed: texts }));
  else for (const text of texts) terminal.result(`${oneLine(folder)}\t${oneLine(text)}`);
}
