/** `aiq.config.yaml` itself: known keys only, and the two settings that have a structure. */

import { didYouMean, type Finding, readYamlFile, shorten, type YamlFile } from '../yaml/index.ts';
import type { Config, ProviderConfig } from './config.ts';
import type { Environment } from './find-config.ts';
import { settingPaths, structuredSettings } from './settings.ts';

type Mapping = { readonly [key: string]: unknown };

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
  const parsed = readYamlFile(path);
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

function isMapping(value: unknown): value is Mapping {
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

function unknownSetting(key: string, known: readonly string[], prefix: string): string {
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

/** One structured setting, read entry by entry. */
interface Reader {
  readonly file: YamlFile;
  readonly findings: Finding[];
}

function entriesOf(
  { file, findings }: Reader,
  value: unknown,
  path: readonly string[],
  known: readonly string[],
): Mapping {
  if (!isMapping(value)) {
    findings.push(findingAt(file, path, `"${path.join('.')}" must be a mapping`));
    return {};
  }
  for (const key of Object.keys(value)) {
    if (known.length > 0 && !known.includes(key)) {
      const message = unknownSetting(key, known, `${path.join('.')}.`);
      findings.push({ file: file.file, ...file.keyPlaceOf([...path, key]), message });
    }
  }
  return value;
}

/** `providers`, keys expanded from the environment. */
export function readProviders(config: ConfigFile, env: Environment): Config['providers'] {
  const value = config.valueOf('providers');
  if (config.file === null || value === undefined || value === null) return {};
  const reader: Reader = { file: config.file, findings: config.findings };
  const providers: { [name: string]: ProviderConfig } = {};
  for (const [name, fields] of Object.entries(entriesOf(reader, value, ['providers'], []))) {
    const path = ['providers', name];
    const entry = entriesOf(reader, fields, path, ['baseURL', 'apiKey', 'model']);
    providers[name] = {
      baseURL: readBaseURL(reader, entry['baseURL'], [...path, 'baseURL']),
      ...readApiKey(reader, entry['apiKey'], [...path, 'apiKey'], env),
      model: readOptionalText(reader, entry['model'], [...path, 'model']),
    };
  }
  return providers;
}

function readOptionalText(reader: Reader, value: unknown, path: readonly string[]): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' && value !== '') return value;
  reader.findings.push(
    findingAt(reader.file, path, `"${path.join('.')}": ${shorten(value)} is not a text`),
  );
  return null;
}

function readBaseURL(reader: Reader, value: unknown, path: readonly string[]): string | null {
  const text = readOptionalText(reader, value, path);
  if (text === null) return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  const reason =
    url === null || !/^https?:$/.test(url.protocol)
      ? `${shorten(text)} is not an address like http://127.0.0.1:11434/v1`
      : url.username !== '' || url.password !== ''
        ? 'credentials do not belong into an address; use apiKey'
        : null;
  if (reason === null) return text;
  reader.findings.push(findingAt(reader.file, path, `"${path.join('.')}": ${reason}`));
  return null;
}

/** The value itself is never repeated: it may be a key. */
function readApiKey(
  reader: Reader,
  value: unknown,
  path: readonly string[],
  env: Environment,
): Pick<ProviderConfig, 'apiKey' | 'apiKeyMissing'> {
  if (value === undefined || value === null) return { apiKey: null };
  const text = typeof value === 'string' ? value : '';
  const [, name] = /^\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(text) ?? [];
  if (name !== undefined) {
    const apiKey = env[name] || null;
    return apiKey === null ? { apiKey, apiKeyMissing: name } : { apiKey };
  }
  const fix = `write '\${env:NAME}' and put the key into the environment or into .env`;
  const message = `"${path.join('.')}" must not hold a key; ${fix}`;
  reader.findings.push(findingAt(reader.file, path, message));
  return { apiKey: null };
}

/** `prices`, per million tokens. */
export function readPrices(config: ConfigFile): Config['prices'] {
  const value = config.valueOf('prices');
  if (config.file === null || value === undefined || value === null) return {};
  const reader: Reader = { file: config.file, findings: config.findings };
  const prices: { [model: string]: { input: number; output: number; cachedInput?: number } } = {};
  for (const [model, fields] of Object.entries(entriesOf(reader, value, ['prices'], []))) {
    const path = ['prices', model];
    const entry = entriesOf(reader, fields, path, ['input', 'output', 'cachedInput']);
    const price = (name: string): number => {
      const amount = entry[name];
      if (typeof amount === 'number' && amount >= 0 && Number.isFinite(amount)) return amount;
      const what = amount === undefined ? ' is missing' : `: ${shorten(amount)} is not a price`;
      reader.findings.push(
        findingAt(reader.file, [...path, name], `"prices.${model}.${name}"${what}`),
      );
      return 0;
    };
    prices[model] = {
      input: price('input'),
      output: price('output'),
      ...(entry['cachedInput'] === undefined ? {} : { cachedInput: price('cachedInput') }),
    };
  }
  return prices;
}
