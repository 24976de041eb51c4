/** `aiq.config.yaml` itself: known keys only. */

import { didYouMean, type Finding, readYamlFile, type YamlFile } from '../yaml/index.ts';
import { settingPaths, structuredSettings } from './settings.ts';

export type Mapping = { readonly [key: string]: unknown };

/** A file that was read: its settings by path, with what is wrong in it so far. */
export interface ConfigFile {
  readonly file: YamlFile | null;
  readonly findings: Finding[];
  /** The value at a dotted path; undefined when the file does not set it. */
  valueOf(path: string): unknown;
}

export const emptyFile: ConfigFile = { file: null, findings: [], valueOf: () => undefined };

/** Reads the file; everything wrong with it comes back as findings. */
export function readConfigFile(path: string): ConfigFile {
  // A provider may have its key written out.
  const parsed = readYamlFile(path, (value) => isMapping(value) && !('providers' in value));
  if (!parsed.ok) {
    // A file in which everything is commented out is a fine configuration.
    const empty =
      parsed.findings.length === 1 && parsed.findings[0]?.message === 'the file is empty';
    return { ...emptyFile, findings: empty ? [] : [...parsed.findings] };
  }
  const { file } = parsed;
  const findings: Finding[] = [];
  if (!isMapping(file.value)) {
    findings.push({
      file: path,
      line: 1,
      column: 1,
      message: 'the file must be a mapping of settings',
    });
    return { file, findings, valueOf: () => undefined };
  }
  checkKeys(file, file.value, [], findings);
  const root = file.value;
  return {
    file,
    findings,
    valueOf: (dotted) =>
      dotted
        .split('.')
        .reduce<unknown>((value, key) => (isMapping(value) ? value[key] : undefined), root),
  };
}

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const leaves: readonly string[] = ['$schema', ...settingPaths, ...structuredSettings];

/** Unknown keys, and groups that are no mapping. */
function checkKeys(file: YamlFile, mapping: Mapping, path: string[], findings: Finding[]): void {
  const prefix = path.map((key) => `${key}.`).join('');
  const known = leaves
    .filter((leaf) => leaf.startsWith(prefix))
    .map((leaf) => leaf.slice(prefix.length).split('.', 1)[0] ?? '');
  for (const [key, value] of Object.entries(mapping)) {
    const here = [...path, key];
    const dotted = here.join('.');
    if (!known.includes(key)) {
      const message = unknownSetting(key, known, prefix);
      findings.push({ file: file.file, ...file.keyPlaceOf(here), message });
    } else if (!leaves.includes(dotted) && value !== null) {
      if (isMapping(value)) checkKeys(file, value, here, findings);
      else findings.push(findingAt(file, here, `"${dotted}" must be a mapping of settings`));
    }
  }
}

export function unknownSetting(key: string, known: readonly string[], prefix: string): string {
  const start = `unknown setting "${prefix}${key}"`;
  const near = didYouMean(key, known);
  if (near !== null) return `${start}. Did you mean "${prefix}${near}"?`;
  const elsewhere = leaves.find((leaf) => leaf.endsWith(`.${key}`));
  if (elsewhere !== undefined) return `${start}: it belongs at "${elsewhere}"`;
  return `${start}; known here: ${[...new Set(known)].join(', ')}`;
}

export function findingAt(file: YamlFile, path: readonly string[], message: string): Finding {
  return { file: file.file, ...file.placeOf(path), message };
}
