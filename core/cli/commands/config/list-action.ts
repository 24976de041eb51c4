/** `aiq config list`: prints every setting and, when asked, where its value comes from. */

import type { ExplainedSetting, SettingOrigin } from '../../../config/index.ts';
import type { ExitName } from '../../exit-codes.ts';
import { formatTable, pathFromHere } from '../../output/format.ts';
import { outputWidth } from '../../output/terminal.ts';
import type { Session } from '../../session.ts';

export async function listConfig(
  session: Session,
  flags: { readonly showOrigin?: boolean },
): Promise<ExitName> {
  const settings = await session.settings();
  const { terminal } = session;
  if (terminal.json) {
    for (const setting of settings) terminal.result(JSON.stringify(setting));
    return 'ok';
  }
  const shown = flags.showOrigin === true;
  const heading = ['SETTING', 'VALUE', ...(shown ? ['ORIGIN'] : [])];
  const rows = settings.map((setting) => [
    setting.path,
    valueText(setting),
    ...(shown ? [originText(setting.origin)] : []),
  ]);
  const width = outputWidth();
  for (const line of formatTable(heading, rows, width)) terminal.result(line);
  return 'ok';
}

/** Texts as they count (paths are absolute), everything else as it was written (`25s`). */
function valueText({ value, written }: ExplainedSetting): string {
  const shown = typeof value === 'number' ? written : value;
  if (shown === null) return '-';
  if (Array.isArray(shown) && shown.every((one) => typeof one === 'string')) return shown.join(':');
  return typeof shown === 'string' ? shown : JSON.stringify(shown);
}

function originText({ from, place }: SettingOrigin): string {
  if (from === 'default') return 'default';
  if (from === 'flag') return 'flag';
  return from === 'file' ? pathFromHere(place) : place;
}
