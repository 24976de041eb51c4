/** `budgets` of `aiq.config.yaml`: what model calls may cost, in which period and whose. */

import { formatMicros, parseMicros } from '../base/index.ts';
import { shorten, suggestion } from '../yaml/index.ts';
import type { BudgetConfig, Config } from './config.ts';
import { type ConfigFile, findingAt } from './config-file.ts';
import { entriesOf, type Reader, readOptionalText } from './structured.ts';
import { ValueError } from './values.ts';

const fields = ['amount', 'currency', 'per', 'timeZone', 'agent', 'model', 'tag'];
const periods: readonly BudgetConfig['per'][] = ['day', 'week', 'month', 'all'];
/** Of the prices that providers publish. */
const publishedCurrency = 'USD';

/** In millionths; one more would mean an unknown cost in the protocol. */
const amountMicrosMax = Number.MAX_SAFE_INTEGER - 1;
const nameBytesMax = 64;
const namePattern = /^[a-z0-9]+([._-][a-z0-9]+)*$/;
const currencyPattern = /^[A-Z]{3}$/;
/** What a job can have as a tag. */
const tagPattern = /^[\x21-\x7e]{1,64}$/;

/** The budgets in the order of the file, by its prices of its own. */
export function readBudgets(config: ConfigFile, prices: Config['prices']): BudgetConfig[] {
  const value = config.valueOf('budgets');
  if (config.file === null || value === undefined || value === null) return [];
  const reader: Reader = { file: config.file, findings: config.findings };
  const budgets = Object.entries(entriesOf(reader, value, ['budgets'], [])).map(([name, written]) =>
    readBudget(reader, name, written),
  );
  checkCurrencies(reader, budgets, Object.keys(prices).length > 0);
  return budgets;
}

function readBudget(reader: Reader, name: string, written: unknown): BudgetConfig {
  const path = ['budgets', name];
  if (name.length > nameBytesMax || !namePattern.test(name)) {
    const rule = `lower-case words joined by . _ or -, at most ${nameBytesMax} bytes`;
    const message = `${shorten(name)} is no name of a budget: ${rule}`;
    reader.findings.push({ file: reader.file.file, ...reader.file.keyPlaceOf(path), message });
  }
  const entry = entriesOf(reader, written, path, fields);
  const read = <T>(field: string, parse: (value: unknown) => T, fallback: T): T => {
    try {
      return parse(entry[field]);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      const here = [...path, field];
      const message = `"${here.join('.')}"${error.message}`;
      reader.findings.push(findingAt(reader.file, here, message));
      return fallback;
    }
  };
  const text = (field: string): string | null =>
    readOptionalText(reader, entry[field], [...path, field]);
  return {
    name,
    amountMicros: read('amount', parseAmount, 1),
    currency: read('currency', parseCurrency, ''),
    per: read('per', parsePeriod, 'all'),
    timeZone: read('timeZone', parseTimeZone, 'UTC'),
    agent: text('agent'),
    model: text('model'),
    tag: read('tag', parseTag, null),
    batch: null,
  };
}

function parseAmount(value: unknown): number {
  const example = 'such as 3 or 0.25';
  if (isMissing(value)) throw new ValueError(` is missing: what calls may cost, ${example}`);
  if (typeof value !== 'number' || !(value > 0)) {
    throw new ValueError(`: ${shorten(value)} is not a number above 0, ${example}`);
  }
  const micros = parseMicros(String(value));
  if (micros !== null && micros <= amountMicrosMax) return micros;
  const most = formatMicros(amountMicrosMax);
  const reason =
    value * 1e6 <= amountMicrosMax ? 'has more than 6 decimals' : `is more than ${most}`;
  throw new ValueError(`: ${shorten(value)} ${reason}`);
}

function parseCurrency(value: unknown): string {
  if (isMissing(value)) throw new ValueError(` is missing: write currency: ${publishedCurrency}`);
  if (typeof value === 'string' && currencyPattern.test(value)) return value;
  const form = `3 capital letters, such as ${publishedCurrency}`;
  throw new ValueError(`: ${shorten(value)} is no currency: ${form}`);
}

function parsePeriod(value: unknown): BudgetConfig['per'] {
  if (isMissing(value)) return 'all';
  const period = periods.find((one) => one === value);
  if (period !== undefined) return period;
  const what = `is no period (${periods.join(', ')})`;
  throw new ValueError(`: ${shorten(value)} ${what}.${nearest(value, periods)}`);
}

function parseTimeZone(value: unknown): string {
  if (isMissing(value)) return 'UTC';
  if (typeof value === 'string' && isTimeZone(value)) return value;
  const near = nearest(value, Intl.supportedValuesOf('timeZone'));
  throw new ValueError(`: ${shorten(value)} is no time zone such as Europe/Berlin.${near}`);
}

/** As the gate knows them, which no command needs that only reads the configuration. */
function isTimeZone(name: string): boolean {
  try {
    Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function parseTag(value: unknown): string | null {
  if (isMissing(value)) return null;
  if (typeof value === 'string' && tagPattern.test(value)) return value;
  throw new ValueError(`: ${shorten(value)} is no tag: one word of at most 64 bytes`);
}

function nearest(value: unknown, known: readonly string[]): string {
  return typeof value === 'string' ? suggestion(value, known) : '';
}

function isMissing(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

/** One sum needs one currency, and a bound needs prices in it. */
function checkCurrencies(
  { file, findings }: Reader,
  budgets: readonly BudgetConfig[],
  hasPrices: boolean,
): void {
  const [first, ...others] = budgets.filter(({ currency }) => currency !== '');
  if (first === undefined) return;
  for (const { name, currency } of others) {
    if (currency === first.currency) continue;
    const path = ['budgets', name, 'currency'];
    const message = `"${path.join('.')}": "${currency}", but "${first.name}" is in ${first.currency}: all budgets of a file need one currency`;
    findings.push(findingAt(file, path, message));
  }
  if (first.currency === publishedCurrency || hasPrices) return;
  const path = ['budgets', first.name, 'currency'];
  const message =
    `"${path.join('.')}": "${first.currency}", but published prices are in ${publishedCurrency}: ` +
    `write ${publishedCurrency}, or prices of your own in ${first.currency} under "prices"`;
  findings.push(findingAt(file, path, message));
}
