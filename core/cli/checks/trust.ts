/** What the folder would do with keys and code, and whether that is allowed. */

import type { Config } from '../../config/index.ts';
import { fileNeeds, folderNeeds, needText } from '../../trust/index.ts';
import type { Session } from '../session.ts';
import { type Check, fail, ok } from './check.ts';

const fix = 'Look at it, then allow it: aiq trust. More: aiq help trust';

/** Runs nothing of the folder and asks nobody. */
export async function checkTrust(session: Session, config: Config): Promise<Check> {
  const loaded = await session.loadedEnvironment();
  const trust = await session.trust();
  // A variable that is not set sends nothing, and a server that is only looked for may not be there.
  const needs = (await folderNeeds({ ...config, ...loaded })).filter((need) =>
    need.kind === 'key' ? loaded.env[need.variable] : need.kind !== 'text',
  );
  const missing = trust.missing(needs);
  if (missing.length > 0) {
    const texts = missing.map((need) => needText(need, trust.folder));
    return fail(
      'trust',
      'untrusted',
      'nobody has allowed yet what this folder would do',
      ...texts,
      fix,
    );
  }
  const unowned = trust.unowned(needs);
  if (unowned.length === 0) return ok('trust', 'nothing here needs to be allowed');
  return ok('trust', `allowed: ${unowned.map((need) => needText(need, trust.folder)).join(', ')}`);
}

/** Whether the configuration may be gone by at all. */
export async function isTrusted(session: Session, { file }: Config): Promise<boolean> {
  const { envFile } = await session.loadedEnvironment();
  return (await session.trust()).missing(fileNeeds({ file, envFile })).length === 0;
}
