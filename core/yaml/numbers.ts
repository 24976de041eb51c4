/**
 * Numbers that stay themselves. JSON and YAML write any number; ours have 53 bits, and what does not
 * fit would silently become its neighbour: two ids one, a price another.
 */

/** A number that was written and cannot be kept, and where. */
export interface LostNumber {
  readonly path: readonly string[];
  /** As it was written. */
  readonly text: string;
}

/** What can be wrong: fewer digits are always kept, and smaller exponents too. */
const mayBeLost = /\d[\d.]{14,}|[eE][+-]?0*\d{3}/;

/** No number that is kept needs more, zeros included. */
const charsMax = 400;

/** True when a number comes out as it was written; `1.0` and `1` are the same. */
export function isKept(text: string): boolean {
  if (/^\d{1,15}$/.test(text)) return true;
  if (text.length > charsMax) return false;
  if (/^[+-]?0[xob]/i.test(text)) return BigInt(text) === BigInt(Number(text));
  const value = Number(text);
  return Number.isFinite(value) && decimalOf(text) === decimalOf(String(value));
}

/** What is wrong with a number that is not kept, without its place. */
export function lostText(text: string): string {
  const becomes = Number(text);
  const what = Number.isFinite(becomes) ? `it would become ${becomes}` : 'it is too large';
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return `${shown} is more than a number can hold (${what}); write it as text, in quotes`;
}

/**
 * The value of a text of JSON, with the numbers in it that could not be kept.
 * @throws SyntaxError when it is none
 */
export function readJson(text: string): {
  readonly value: unknown;
  readonly lost: readonly LostNumber[];
} {
  const value = parsed(text);
  if (!mayBeLost.test(text)) return { value, lost: [] };
  const marked: unknown = JSON.parse(text, ((_key: string, member: unknown, context?: Source) =>
    typeof member === 'number' && !isKept(context?.source ?? '')
      ? new Lost(context?.source ?? '')
      : member) as (this: unknown, key: string, value: unknown) => unknown);
  const lost: LostNumber[] = [];
  collect(marked, [], lost);
  return { value, lost };
}

/** The text may hold what must not be shown: the parser's message is shown without its excerpt. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    throw new SyntaxError(message.replace(/, (?:\.\.\.)?".*is not valid JSON$/s, ''), {
      cause: error,
    });
  }
}

interface Source {
  readonly source?: string;
}

class Lost {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

function collect(value: unknown, path: readonly string[], lost: LostNumber[]): void {
  if (value instanceof Lost) lost.push({ path, text: value.text });
  else if (typeof value === 'object' && value !== null) {
    for (const [key, member] of Object.entries(value)) collect(member, [...path, key], lost);
  }
}

/** One text for one decimal number: its digits without zeros at the ends, and their power of ten. */
function decimalOf(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(text) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const kept = digits.replace(/0+$/, '');
  if (kept === '') return '0';
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - kept.length);
  return `${sign === '-' ? '-' : ''}${kept}e${power}`;
}

/**
 * True when the value is a whole number of divisors, counted in decimals as both are written: 19.99
 * is a multiple of 0.01, though the quotient of the two in binary is no whole number.
 */
export function isMultipleOf(value: number, divisor: number): boolean {
  const [one, other] = [value, divisor].map(scaled);
  if (one === undefined || other === undefined || other.digits === 0n) return false;
  const power = Math.min(one.power, other.power);
  const whole = ({ digits, power: own }: Scaled): bigint => digits * 10n ** BigInt(own - power);
  return whole(one) % whole(other) === 0n;
}

interface Scaled {
  readonly digits: bigint;
  readonly power: number;
}

function scaled(value: number): Scaled | undefined {
  if (!Number.isFinite(value)) return undefined;
  const [digits = '0', power = '0'] = decimalOf(String(value)).split('e');
  return { digits: BigInt(digits), power: Number(power) };
}
