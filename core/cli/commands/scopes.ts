/** `aiq scopes list | set`: budgets and rate limits that jobs reserve from. */

import type { ScopeInfo } from '../../queue/index.ts';
import type { ExitName } from '../exit-codes.ts';
import { checkKey } from '../input/job-flags.ts';
import { parseCount, parseDuration } from '../input/values.ts';
import type { Session } from '../session.ts';
import { formatElapsed, formatTable } from '../table.ts';
import { outputWidth } from '../terminal.ts';

const heading = ['SCOPE', 'LIMIT', 'PER', 'USED', 'RESERVED', 'LEFT'] as const;

export async function listScopes(session: Session, prefix = ''): Promise<ExitName> {
  const scopes = await (await session.queue()).scopes(prefix);
  const { terminal } = session;
  if (terminal.json) for (const scope of scopes) terminal.result(JSON.stringify(scope));
  else if (scopes.length > 0) {
    const rows = scopes.map(rowOf);
    for (const line of formatTable(heading, rows, outputWidth())) terminal.result(line);
  }
  if (scopes.length === 0) terminal.note('no scopes: nothing is limited');
  return 'ok';
}

function rowOf({ scope, limitUnits, windowMs, usedUnits, reservedUnits }: ScopeInfo): string[] {
  const left = Math.max(0, limitUnits - usedUnits - reservedUnits);
  const per = windowMs === 0 ? '-' : formatElapsed(windowMs);
  return [scope, String(limitUnits), per, String(usedUnits), String(reservedUnits), String(left)];
}

interface SetFlags {
  readonly limit: string;
  readonly per?: string;
}

export async function setScope(
  session: Session,
  typed: string,
  flags: SetFlags,
): Promise<ExitName> {
  const scope = checkKey('scopes set', typed);
  const limitUnits =
    flags.limit === '0' ? 0 : parseCount('--limit', flags.limit, Number.MAX_SAFE_INTEGER);
  const windowMs = flags.per === undefined ? 0 : Math.round(parseDuration('--per', flags.per));
  await (await session.queue()).setScope({ scope, limitUnits, windowMs });
  const { terminal } = session;
  if (terminal.json) terminal.result(JSON.stringify({ scope, limitUnits, windowMs }));
  const per = windowMs === 0 ? 'in all' : `per ${formatElapsed(windowMs)}`;
  terminal.note(`${scope} may spend ${limitUnits} units ${per}`);
  return 'ok';
}
