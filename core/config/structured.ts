/** The settings of `aiq.config.yaml` that have a structure: `providers` and `prices`. */

import { type Finding, shorten, type YamlFile } from '../yaml/index.ts';
import { type Config, type ProviderConfig, providerLimits } from './config.ts';
import {
  type ConfigFile,
  findingAt,
  isMapping,
  type Mapping,
  unknownSetting,
} from './config-file.ts';
import type { Environment } from './find-config.ts';

/** One structured setting, read entry by entry. */
export interface Reader {
  readonly file: YamlFile;
  readonly findings: Finding[];
}

export function entriesOf(
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

const providerFields = [
  'baseURL',
  'apiKey',
  'model',
  'headers',
  'query',
  'contextTokens',
  ...providerLimits,
];

/** `providers`, keys expanded from the environment. */
export function readProviders(config: ConfigFile, env: Environment): Config['providers'] {
  const value = config.valueOf('providers');
  if (config.file === null || value === undefined || value === null) return {};
  const reader: Reader = { file: config.file, findings: config.findings };
  const providers: { [name: string]: ProviderConfig } = {};
  for (const [name, fields] of Object.entries(entriesOf(reader, value, ['providers'], []))) {
    const path = ['providers', name];
    const entry = entriesOf(reader, fields, path, providerFields);
    const key = readApiKey(reader, entry['apiKey'], [...path, 'apiKey'], env);
    const headers = readTexts(reader, entry['headers'], [...path, 'headers'], env);
    const query = readTexts(reader, entry['query'], [...path, 'query'], env);
    const contextTokens = readTokens(reader, entry['contextTokens'], [...path, 'contextTokens']);
    const limits = readLimits(reader, entry, path);
    const missing = key.apiKeyMissing ?? headers.missing ?? query.missing;
    const variables = [entry['apiKey'], ...textsOf(entry['headers']), ...textsOf(entry['query'])]
      .map((text) => variablePattern.exec(String(text))?.[1])
      .filter((variable) => variable !== undefined);
    providers[name] = {
      baseURL: readBaseURL(reader, entry['baseURL'], [...path, 'baseURL']),
      apiKey: key.apiKey,
      ...(missing === undefined ? {} : { apiKeyMissing: missing }),
      ...(variables.length === 0 ? {} : { variables }),
      model: readOptionalText(reader, entry['model'], [...path, 'model']),
      ...(entry['headers'] === undefined ? {} : { headers: headers.texts }),
      ...(entry['query'] === undefined ? {} : { query: query.texts }),
      ...(entry['contextTokens'] === undefined ? {} : { contextTokens }),
      ...(limits === null ? {} : { limits }),
    };
  }
  return providers;
}

function textsOf(value: unknown): unknown[] {
  return isMapping(value) ? Object.values(value) : [];
}

export function readOptionalText(
  reader: Reader,
  value: unknown,
  path: readonly string[],
): string | null {
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
  const [, name] = variablePattern.exec(text) ?? [];
  if (name !== undefined) {
    const apiKey = env[name] || null;
    return apiKey === null ? { apiKey, apiKeyMissing: name } : { apiKey };
  }
  const fix = `write '\${env:NAME}' and put the key into the environment or into .env`;
  const message = `"${path.join('.')}" must not hold a key; ${fix}`;
  reader.findings.push(findingAt(reader.file, path, message));
  return { apiKey: null };
}

const variablePattern = /^\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}$/;
/** Names of what is a secret nearly always. */
const secretName = /authorization|api-?key|token|secret|password|cookie/i;
const fieldName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

interface Texts {
  readonly texts: { readonly [name: string]: string };
  /** A variable that is named and not set. */
  readonly missing?: string;
}

/** `headers` and `query`: texts as they are, or variables; a secret is never written in the file. */
function readTexts(
  reader: Reader,
  value: unknown,
  path: readonly string[],
  env: Environment,
): Texts {
  if (value === undefined || value === null) return { texts: {} };
  const texts: { [name: string]: string } = {};
  let missing: string | undefined;
  for (const [name, written] of Object.entries(entriesOf(reader, value, path, []))) {
    const here = [...path, name];
    const problem = textProblem(name, written);
    if (problem !== null) {
      reader.findings.push(findingAt(reader.file, here, `"${here.join('.')}" ${problem}`));
      continue;
    }
    const [, variable] = variablePattern.exec(String(written)) ?? [];
    if (variable !== undefined && !env[variable]) missing ??= variable;
    texts[name] = variable === undefined ? String(written) : (env[variable] ?? '');
  }
  return { texts, ...(missing === undefined ? {} : { missing }) };
}

/** The value itself is never repeated: it may be a key. */
function textProblem(name: string, written: unknown): string | null {
  if (!fieldName.test(name)) return 'is no name of a header or parameter';
  if (typeof written !== 'string') return 'is not a text; put it in quotes';
  if (!/^[\t\x20-\x7e]*$/.test(written)) return 'holds characters that no header can carry';
  if (!secretName.test(name) || variablePattern.test(written)) return null;
  return `must not hold a key; write '\${env:NAME}' and put the key into the environment or into .env`;
}

/** `contextTokens`, by model. */
function readTokens(
  reader: Reader,
  value: unknown,
  path: readonly string[],
): { readonly [model: string]: number } {
  if (value === undefined || value === null) return {};
  const entries = Object.entries(entriesOf(reader, value, path, []));
  return Object.fromEntries(
    entries.flatMap(([model, tokens]) => {
      if (Number.isSafeInteger(tokens) && Number(tokens) > 0) return [[model, Number(tokens)]];
      const here = [...path, model];
      const message = `"${here.join('.')}": ${shorten(tokens)} is not a number of tokens`;
      reader.findings.push(findingAt(reader.file, here, message));
      return [];
    }),
  );
}

/** The limits of a provider; null where it has none. */
function readLimits(
  reader: Reader,
  entry: Readonly<Record<string, unknown>>,
  path: readonly string[],
): NonNullable<ProviderConfig['limits']> | null {
  const limits = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null };
  const found = providerLimits.flatMap((name) => {
    const value = entry[name];
    if (value === undefined || value === null) return [];
    if (Number.isSafeInteger(value) && Number(value) > 0) return [[name, Number(value)] as const];
    const here = [...path, name];
    const message = `"${here.join('.')}": ${shorten(value)} is not a whole number from 1`;
    reader.findings.push(findingAt(reader.file, here, message));
    return [];
  });
  return found.length === 0 ? null : { ...limits, ...Object.fromEntries(found) };
}

/** `prices`, per million tokens. */
export function readPrices(config: ConfigFile): Config['prices'] {
  const value = config.valueOf('prices');
  if (config.file === null || value === undefined || value === null) return {};
  const reader: Reader = { file: config.file, findings: config.findings };
  const prices: { [model: string]: Config['prices'][string] } = {};
  for (const [model, fields] of Object.entries(entriesOf(reader, value, ['prices'], []))) {
    const path = ['prices', model];
    const entry = entriesOf(reader, fields, path, [...rateNames, 'tiers']);
    const tiers = readTiers(reader, entry['tiers'], [...path, 'tiers']);
    prices[model] = { ...readRates(reader, entry, path), ...(tiers.length > 0 ? { tiers } : {}) };
  }
  return prices;
}

type Rates = Omit<Config['prices'][string], 'tiers'>;
type Tier = NonNullable<Config['prices'][string]['tiers']>[number];

const optionalRates = ['cachedInput', 'cacheWrite', 'reasoning'] as const;
const rateNames: readonly string[] = ['input', 'output', ...optionalRates];

function readRates(reader: Reader, entry: Mapping, path: readonly string[]): Rates {
  const rate = (name: string): number => {
    const amount = entry[name];
    if (typeof amount === 'number' && amount >= 0 && amount <= priceMax) return amount;
    const what = amount === undefined ? ' is missing' : `: ${shorten(amount)} is not a price`;
    const here = [...path, name];
    reader.findings.push(findingAt(reader.file, here, `"${here.join('.')}"${what}`));
    return 0;
  };
  const written = optionalRates.filter((name) => entry[name] !== undefined);
  const optional = Object.fromEntries(written.map((name) => [name, rate(name)]));
  return { input: rate('input'), output: rate('output'), ...optional };
}

/** By rising size. */
function readTiers(reader: Reader, value: unknown, path: readonly string[]): Tier[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    reader.findings.push(findingAt(reader.file, path, `"${path.join('.')}" must be a list`));
    return [];
  }
  let before = 0;
  return value.map((fields: unknown, index): Tier => {
    const here = [...path, String(index)];
    const entry = entriesOf(reader, fields, here, ['above', ...rateNames]);
    const above = Number(entry['above']);
    if (!Number.isSafeInteger(entry['above']) || above <= before) {
      const message = `"${here.join('.')}.above" must be a number of tokens above ${before}`;
      reader.findings.push(findingAt(reader.file, here, message));
    }
    before = above;
    return { above, ...readRates(reader, entry, here) };
  });
}

/** For a million tokens; a sum of costs stays a whole number that is exact. */
const priceMax = 1e6;
