/** Where each setting was written: flags over environment over file; the first that names it counts. */

import type { ConfigFile } from './config-file.ts';
import type { Environment, Lookup } from './find-config.ts';
import { environmentName, type SettingPath } from './settings.ts';

/** Values of flags by the path of their setting. */
export type Overrides = { readonly [path in SettingPath]?: string | number | readonly string[] };

export interface ConfigRequest extends Lookup {
  readonly overrides?: Overrides;
  /** Where the overrides were given, for messages. Default: `on the command line`. */
  readonly overridesPlace?: string;
}

/** All that may name a setting. */
export interface Sources {
  readonly request: ConfigRequest;
  /** The process's environment with what `.env` adds. */
  readonly env: Environment;
  /** The `.env` file that was read; null when there is none. */
  readonly envFile: string | null;
  readonly file: ConfigFile;
  /** Folder that relative paths of the file refer to. */
  readonly baseDir: string;
}

export interface Written {
  readonly from: 'flag' | 'variable' | 'file';
  readonly raw: unknown;
  /** Folder that relative paths in it refer to. */
  readonly dir: string;
}

/** What was written for a setting; null leaves it at its default. */
export function writtenValue(sources: Sources, path: SettingPath): Written | null {
  const { request, env, file, baseDir } = sources;
  const given = request.overrides?.[path];
  if (given !== undefined) return { from: 'flag', raw: given, dir: request.cwd };
  const variable = env[environmentName(path)];
  // An empty variable is the usual way to unset one.
  if (variable !== undefined && variable !== '') {
    return { from: 'variable', raw: variable, dir: request.cwd };
  }
  const raw = file.valueOf(path);
  return raw === undefined || raw === null ? null : { from: 'file', raw, dir: baseDir };
}
