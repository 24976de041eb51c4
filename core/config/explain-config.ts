/** Every setting with its value and where it comes from: `aiq config list --show-origin`. */

import type { Config } from './config.ts';
import type { ConfigFile } from './config-file.ts';
import { loadConfig, openSources } from './load-config.ts';
import {
  environmentName,
  type Parse,
  type SettingPath,
  settingPaths,
  settings,
} from './settings.ts';
import { type ConfigRequest, type Sources, type Written, writtenValue } from './written.ts';

/** One setting that holds. */
export interface ExplainedSetting {
  readonly path: string;
  /** In effect: paths absolute, durations in milliseconds. Keys are never shown. */
  readonly value: unknown;
  /** As it was written, or as its default would be. */
  readonly written: unknown;
  readonly origin: SettingOrigin;
}

/** `place`: the flag's setting, the variable (with its file when `.env` holds it) or `file:line`. */
export interface SettingOrigin {
  readonly from: Written['from'] | 'default';
  readonly place: string;
}

/**
 * All settings in the order of the table, then providers, prices and budgets.
 * @throws ConfigError what `loadConfig` throws
 */
export function explainConfig(request: ConfigRequest): ExplainedSetting[] {
  const config = loadConfig(request);
  const sources = openSources(request);
  return [
    ...settingPaths.map((path) => explain(sources, path)),
    ...structured(sources.file, config),
  ];
}

function explain(sources: Sources, path: SettingPath): ExplainedSetting {
  const { parse, fallback } = settings[path];
  const written = writtenValue(sources, path);
  const raw = written === null ? fallback() : written.raw;
  const value = (parse as Parse<unknown>)(raw, written?.dir ?? sources.baseDir);
  return { path, value, written: raw, origin: originOf(sources, path, written) };
}

function originOf(sources: Sources, path: SettingPath, written: Written | null): SettingOrigin {
  if (written === null) return { from: 'default', place: '' };
  const { from } = written;
  if (from === 'file') return { from, place: placeIn(sources.file, path.split('.')) };
  if (from === 'flag') return { from, place: path };
  const name = environmentName(path);
  const isOfProcess = (sources.request.env[name] ?? '') !== '';
  return { from, place: isOfProcess ? name : `${name} in ${sources.envFile ?? '.env'}` };
}

function placeIn({ file }: ConfigFile, path: readonly string[]): string {
  return file === null ? '' : `${file.file}:${file.keyPlaceOf(path).line}`;
}

/** Providers, prices and budgets are set in the file only. */
function structured(file: ConfigFile, { providers, prices }: Config): ExplainedSetting[] {
  const shown = Object.entries(providers).map(([name, { apiKey, headers, query, ...rest }]) => {
    // Values may be secrets: their names are enough.
    const names = { headers: Object.keys(headers ?? {}), query: Object.keys(query ?? {}) };
    return [name, { ...rest, ...names, apiKey: apiKey === null ? 'missing' : 'set' }] as const;
  });
  const budgets = (file.valueOf('budgets') ?? {}) as { readonly [name: string]: object };
  const groups = { providers: Object.fromEntries(shown), prices, budgets };
  return Object.entries(groups).flatMap(([group, entries]) =>
    Object.entries(entries).flatMap(([name, fields]) =>
      Object.entries(fields)
        .filter(([key]) => file.valueOf(group) !== undefined && isWritten(file, group, name, key))
        .map(([key, value]): ExplainedSetting => {
          const place = placeIn(file, [group, name, key]);
          const path = `${group}.${name}.${key}`;
          return { path, value, written: value, origin: { from: 'file', place } };
        }),
    ),
  );
}

/** Names of providers and models may hold dots, so the group is taken as a whole. */
function isWritten(file: ConfigFile, group: string, name: string, key: string): boolean {
  const entries = file.valueOf(group) as { readonly [name: string]: object | null } | null;
  const fields = entries?.[name];
  return fields != null && Object.hasOwn(fields, key);
}
