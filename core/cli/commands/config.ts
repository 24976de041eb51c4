/** `aiq config list | path | schema`: what holds here, who says so, and what may be said. */

import type { ExplainedSetting, SettingOrigin } from '../../config/index.ts';
import { CliError } from '../errors.ts';
import type { ExitName } from '../exit-codes.ts';
import { pathFromHere } from '../paths.ts';
import { packagedSchema } from '../schema-reference.ts';
import type { Session } from '../session.ts';
import { formatTable } from '../table.ts';
import { outputWidth } from '../terminal.ts';

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
  if (Array.isArray(shown)) return shown.join(':');
  return typeof shown === 'string' ? shown : JSON.stringify(shown);
}

function originText({ from, place }: SettingOrigin): string {
  if (from === 'default') return 'default';
  if (from === 'flag') return 'flag';
  return from === 'file' ? pathFromHere(place) : place;
}

/** Prints the file that counts, for `$EDITOR "$(aiq config path)"`. */
export async function showConfigPath(session: Session): Promise<ExitName> {
  const { file } = await session.foundConfig();
  const { terminal } = session;
  if (terminal.json) {
    terminal.result(JSON.stringify({ file }));
    return 'ok';
  }
  if (file === null) {
    throw new CliError('notFound', 'there is no configuration file; the defaults hold', [
      'Make one: aiq init',
    ]);
  }
  terminal.result(file);
  return 'ok';
}

export async function printConfigSchema({ terminal }: Session): Promise<ExitName> {
  terminal.resultText(await packagedSchema('config.schema.json'));
  return 'ok';
}
