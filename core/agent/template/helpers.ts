/** The helpers that templates may call. The list is fixed: an agent cannot add to it. */

/** What Handlebars passes to a helper about its call. */
export interface HelperOptions {
  readonly name: string;
  readonly hash: { readonly [name: string]: unknown };
  readonly loc?: Location;
}

/** A template's own fault at run time; `loc` is where Handlebars was. */
export class TemplateFault extends Error {
  readonly loc: Location | undefined;

  constructor(message: string, options?: Pick<HelperOptions, 'loc'>) {
    super(message);
    this.name = 'TemplateFault';
    this.loc = options?.loc;
  }
}

/** Lines from 1 and columns from 0, as Handlebars counts them. */
export interface Location {
  readonly start: { readonly line: number; readonly column: number };
}

type Helper = (options: HelperOptions, ...values: unknown[]) => unknown;

/** Helpers by name. Blocks (`if`, `unless`, `each`, `with`) and `lookup` are Handlebars' own. */
export const inlineHelpers: { readonly [name: string]: Helper } = {
  json: (options, value) => {
    const indent: unknown = options.hash['indent'];
    return JSON.stringify(present(options, value), null, typeof indent === 'number' ? indent : 2);
  },
  eq: (_, left, right) => left === right,
  ne: (_, left, right) => left !== right,
  and: (_, ...values) => values.every(isTrue),
  or: (_, ...values) => values.some(isTrue),
  not: (_, value) => !isTrue(value),
  default: (_, value, fallback) =>
    value === undefined || value === null || value === '' ? fallback : value,
  join: (options, list, separator) =>
    listOf(options, list).join(typeof separator === 'string' ? separator : ', '),
  lines: (options, value) => {
    const lines = Array.isArray(value)
      ? listOf(options, value)
      : textOf(options, value).split('\n');
    const { prefix = '' } = options.hash as { prefix?: string };
    return lines.map((line) => `${prefix}${line}`).join('\n');
  },
  truncate: (options, value, max) => truncate(textOf(options, value), numberOf(options, max)),
  slug: (options, value) => {
    const { max, default: fallback } = options.hash;
    const text = value === undefined || value === null ? '' : textOf(options, value);
    const length = max === undefined ? slugLengthDefault : numberOf(options, max);
    return (
      slug(text, length) || slug(typeof fallback === 'string' ? fallback : '', length) || 'untitled'
    );
  },
  upper: (options, value) => textOf(options, value).toUpperCase(),
  lower: (options, value) => textOf(options, value).toLowerCase(),
  add: (options, ...values) => values.reduce<number>((sum, v) => sum + numberOf(options, v), 0),
  date: (options, value, format) =>
    formatDate(options, value, typeof format === 'string' ? format : 'YYYY-MM-DD'),
  fence: (options, value, language) =>
    fence(textOf(options, value), typeof language === 'string' ? language : ''),
};

/** Handlebars passes its options last; ours come first, so that the values can be a list. */
export function asHandlebarsHelper(helper: Helper): (...values: unknown[]) => unknown {
  return (...values) => helper(values.pop() as HelperOptions, ...values);
}

/** Truth as `{{#if}}` has it: an empty list is false. */
function isTrue(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

function present(options: HelperOptions, value: unknown): unknown {
  if (value !== undefined && value !== null) return value;
  throw new TemplateFault(`"${options.name}" got no value; put {{#if}} around it`, options);
}

function textOf(options: HelperOptions, value: unknown): string {
  const given = present(options, value);
  if (typeof given === 'string') return given;
  if (typeof given === 'number' || typeof given === 'boolean') return String(given);
  throw new TemplateFault(`"${options.name}" needs text; use json for objects and lists`, options);
}

function numberOf(options: HelperOptions, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new TemplateFault(`"${options.name}" needs a number`, options);
}

function listOf(options: HelperOptions, value: unknown): string[] {
  if (!Array.isArray(value)) throw new TemplateFault(`"${options.name}" needs a list`, options);
  return value.map((item) => textOf(options, item));
}

function truncate(text: string, max: number): string {
  // No text has more code points than code units, so a short text needs no splitting.
  if (text.length <= max) return text;
  const characters = Array.from(text);
  return characters.length <= max ? text : `${characters.slice(0, Math.max(max - 1, 0)).join('')}…`;
}

/** With the usual short id and ending, this many characters of any script fit a file name. */
const slugLengthDefault = 50;

/** Accents are signs beside a letter in these scripts; elsewhere a mark is a vowel or makes another letter. */
const accents = /(?<=[\p{Script=Latin}\p{Script=Greek}]\p{M}*)\p{M}+/gu;
/** Joins letters, or sets how one is drawn. */
const unseen = /[\u200C\u200D\p{Variation_Selector}\p{Me}]+/gu;

/** Letters and digits of any script in lower case, accents removed, everything else a dash. */
function slug(text: string, max: number): string {
  const words = text
    .slice(0, 1_000)
    .normalize('NFKD')
    .replaceAll(unseen, '')
    .replaceAll(accents, '')
    .normalize('NFC')
    .toLowerCase()
    .replaceAll(/(?:^\p{M}|[^\p{L}\p{M}\p{N}])+\p{M}*/gu, '-');
  return Array.from(words.replaceAll(/^-|-$/g, '')).slice(0, max).join('').replace(/-$/, '');
}

const writtenDate =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(?:Z|([+-]\d\d):?(\d\d))?)?$/i;

/** In UTC where nothing else is written. What machines read by their own zone or custom is no date. */
function dateOf(value: unknown): Date | null {
  if (typeof value === 'number') return inCalendar(new Date(value));
  const [, day, time = '00:00', hours = '', minutes = ''] = writtenDate.exec(String(value)) ?? [];
  // The 30th of February would become a day in March.
  if (
    !inCalendar(new Date(`${day}T00:00Z`))
      ?.toISOString()
      .startsWith(`${day}T`)
  )
    return null;
  return inCalendar(new Date(`${day}T${time}${hours === '' ? 'Z' : `${hours}:${minutes}`}`));
}

/** Null for what has no year of four digits. */
function inCalendar(date: Date): Date | null {
  const isKnown = !Number.isNaN(date.getTime()) && date.toISOString().length === 24;
  return isKnown ? date : null;
}

function formatDate(options: HelperOptions, value: unknown, format: string): string {
  const date = dateOf(typeof value === 'number' ? value : textOf(options, value));
  if (date === null) {
    const fix = 'needs a date such as 2026-11-30 or 2026-11-30T08:00:00Z';
    throw new TemplateFault(`"date" ${fix}`, options);
  }
  const [year = '', month = '', day = '', hour = '', minute = '', second = ''] = date
    .toISOString()
    .split(/[-T:.Z]/);
  const parts: { readonly [token: string]: string } = {
    YYYY: year,
    MM: month,
    DD: day,
    HH: hour,
    mm: minute,
    ss: second,
  };
  return format.replaceAll(/YYYY|MM|DD|HH|mm|ss/g, (token) => parts[token] ?? token);
}

/** A fence longer than any in the text, so that nothing inside can close it. */
function fence(text: string, language: string): string {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const marks = '`'.repeat(longest + 1);
  return `${marks}${language}\n${text}${text.endsWith('\n') ? '' : '\n'}${marks}`;
}
