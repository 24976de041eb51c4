/** `aiq signal`: wakes the jobs that are parked on a key. */

import type { ExitName } from '../exit-codes.ts';
import { checkKey } from '../input/job-flags.ts';
import { bulkProgress, countText } from '../progress.ts';
import type { Session } from '../session.ts';

/** Nobody waiting is no failure: the key may be signalled before or after. */
export async function signal(session: Session, typed: string): Promise<ExitName> {
  const key = checkKey('signal', typed);
  const { terminal } = session;
  const woken = await (await session.queue()).signal(key, bulkProgress(terminal, 'made ready'));
  if (terminal.json) terminal.result(JSON.stringify({ key, woken }));
  terminal.note(woken === 0 ? `no job is parked on ${key}` : `made ready: ${countText(woken)}`);
  return 'ok';
}
