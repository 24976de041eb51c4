/** What a budget is, which calls it concerns, and in which period it counts. */

/** How long an amount is for: a calendar period, one job over all its attempts, or for ever. */
export type BudgetPeriod = 'all' | 'day' | 'week' | 'month' | 'job';

export interface Budget {
  readonly name: string;
  /** Millionths of the currency. */
  readonly amountMicros: number;
  /** Weeks begin on Monday (ISO 8601). */
  readonly per: BudgetPeriod;
  /** IANA name of the zone in whose calendar days begin. */
  readonly timeZone: string;
  /** Calls of this agent alone; null for those of all. The same for model, tag and batch. */
  readonly agent: string | null;
  readonly model: string | null;
  readonly tag: string | null;
  readonly batch: string | null;
}

/** Whose call it is. */
export interface Caller {
  readonly agent: string;
  readonly model: string;
  readonly tags: readonly string[];
  /** Empty for none. */
  readonly batch: string;
}

export function concerns({ agent, model, tag, batch }: Budget, call: Caller): boolean {
  if (batch !== null && batch !== call.batch) return false;
  if (agent !== null && agent !== call.agent) return false;
  if (model !== null && model !== call.model) return false;
  return tag === null || call.tags.includes(tag);
}

export interface Period {
  /** First millisecond, since 1970; 0 where there is no calendar in it. */
  readonly startMs: number;
  /** First millisecond of the next one; null for none. */
  readonly endMs: number | null;
}

/** The period of the budget at that time. */
export function periodAt({ per, timeZone }: Budget, nowMs: number): Period {
  if (per === 'all' || per === 'job') return { startMs: 0, endMs: null };
  const { year, month, day, weekday } = dateAt(timeZone, nowMs);
  const first = per === 'month' ? 1 : per === 'week' ? day - weekday : day;
  const next = per === 'month' ? [month + 1, 1] : [month, first + (per === 'week' ? 7 : 1)];
  const [nextMonth = month, nextDay = 1] = next;
  return {
    // No time is before 1970.
    startMs: Math.max(0, startOfDay(timeZone, Date.UTC(year, month, first))),
    endMs: startOfDay(timeZone, Date.UTC(year, nextMonth, nextDay)),
  };
}

export function isTimeZone(name: string): boolean {
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** @throws RangeError for a zone that is none */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formats.set(timeZone, format);
  return format;
}

/** What clocks in the zone show at that time, as if it were UTC, to the second. */
function shownMs(timeZone: string, atMs: number): number {
  const parts = formatOf(timeZone).formatToParts(atMs);
  const of = (type: string): number => Number(parts.find((part) => part.type === type)?.value);
  return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'));
}

/** Month and weekday count from 0, and weeks begin on Monday. */
function dateAt(timeZone: string, atMs: number) {
  const shown = new Date(shownMs(timeZone, atMs));
  return {
    year: shown.getUTCFullYear(),
    month: shown.getUTCMonth(),
    day: shown.getUTCDate(),
    weekday: (shown.getUTCDay() + 6) % 7,
  };
}

/**
 * When the day begins in the zone that UTC gives as `utcMs`. Where clocks are put on at midnight, no
 * clock shows 0:00: the day begins with the first time that one shows.
 */
function startOfDay(timeZone: string, utcMs: number): number {
  const offsetMs = (atMs: number): number => shownMs(timeZone, atMs) - atMs;
  const guess = utcMs - offsetMs(utcMs);
  const other = utcMs - offsetMs(guess);
  const [earlier, later] = guess < other ? [guess, other] : [other, guess];
  return shownMs(timeZone, earlier) >= utcMs ? earlier : later;
}
