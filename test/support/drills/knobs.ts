/**
 * Reads the knobs of a drill's model id, such as
 * `aiq-offline?latency=300ms&error=429:0.2&retryAfter=3&seed=7`: extracts, late, changed or broken.
 */

/** Faults with a probability of their own. In this order they share one throw of the dice. */
export const faultNames = ['cut', 'badJson', 'html', 'reset', 'silent', 'length'] as const;
export type FaultName = (typeof faultNames)[number];

export interface Knobs {
  /** Waited before each answer. */
  readonly latencyMs: number;
  /** HTTP errors and their probabilities. */
  readonly errors: readonly { readonly status: number; readonly probability: number }[];
  readonly faults: { readonly [name in FaultName]: number };
  /** Seconds, sent with 429 and 503; null sends none. */
  readonly retryAfterSeconds: number | null;
  /** Text answers are padded to this many bytes. */
  readonly longBytes: number;
  /** False leaves the usage out. */
  readonly usage: boolean;
  readonly seed: number;
}

export type KnobsResult =
  | { readonly ok: true; readonly knobs: Knobs }
  | { readonly ok: false; readonly problem: string };

type Mutable = {
  -readonly [key in keyof Knobs]: Knobs[key];
};

interface Reader {
  readonly meaning: string;
  /** False when the value does not fit. */
  read(value: string, into: Mutable): boolean;
}

const readers: { readonly [knob: string]: Reader } = {
  latency: {
    meaning: 'a duration such as 300ms or 2s',
    read: (value, into) => {
      const match = /^(\d{1,6}(?:\.\d+)?)(ms|s)$/.exec(value);
      into.latencyMs = Number(match?.[1]) * (match?.[2] === 's' ? 1000 : 1);
      return match !== null;
    },
  },
  error: {
    meaning: 'a status and a probability such as 429:0.2',
    read: (value, into) => {
      const match = /^([45]\d\d)(?::(.+))?$/.exec(value);
      const probability = match?.[2] === undefined ? 1 : probabilityOf(match[2]);
      into.errors = [...into.errors, { status: Number(match?.[1]), probability }];
      return match !== null && !Number.isNaN(probability);
    },
  },
  retryAfter: {
    meaning: 'seconds',
    read: (value, into) => {
      into.retryAfterSeconds = Number(value);
      return /^\d{1,6}$/.test(value);
    },
  },
  long: {
    meaning: 'bytes, such as 200kb or 5mb, up to 64mb',
    read: (value, into) => {
      const match = /^(\d{1,8})(kb|mb)?$/i.exec(value);
      const unit = { kb: 1024, mb: 1024 ** 2 }[match?.[2]?.toLowerCase() ?? ''] ?? 1;
      into.longBytes = Number(match?.[1]) * unit;
      return match !== null && into.longBytes <= 64 * 1024 ** 2;
    },
  },
  usage: {
    meaning: 'on or off',
    read: (value, into) => {
      into.usage = value === 'on';
      return value === 'on' || value === 'off';
    },
  },
  seed: {
    meaning: 'a whole number',
    read: (value, into) => {
      into.seed = Number(value);
      return /^\d{1,9}$/.test(value);
    },
  },
};

export const drillId = 'aiq-offline';

/** The knobs of `model`, or null when it names no drill. */
export function parseKnobs(model: string): KnobsResult | null {
  const [id, query = ''] = splitOnce(model, '?');
  if (id !== drillId) return null;
  const knobs: Mutable = {
    latencyMs: 0,
    errors: [],
    faults: { cut: 0, badJson: 0, html: 0, reset: 0, silent: 0, length: 0 },
    retryAfterSeconds: null,
    longBytes: 0,
    usage: true,
    seed: 0,
  };
  for (const [name, value] of new URLSearchParams(query)) {
    const problem = readKnob(name, value, knobs);
    if (problem !== null) return { ok: false, problem };
  }
  const sum = [...knobs.errors.map((error) => error.probability), ...Object.values(knobs.faults)];
  if (sum.reduce((total, part) => total + part, 0) > 1 + 1e-9) {
    return { ok: false, problem: 'the probabilities of errors and faults add up to more than 1' };
  }
  return { ok: true, knobs };
}

function readKnob(name: string, value: string, into: Mutable): string | null {
  if (isFaultName(name)) {
    const probability = probabilityOf(value);
    into.faults = { ...into.faults, [name]: probability };
    return Number.isNaN(probability) ? badValue(name, value, 'a probability from 0 to 1') : null;
  }
  const reader = Object.hasOwn(readers, name) ? readers[name] : undefined;
  if (reader === undefined) {
    const known = [...Object.keys(readers), ...faultNames];
    return `unknown knob "${name}"; there are ${known.join(', ')}`;
  }
  return reader.read(value, into) ? null : badValue(name, value, reader.meaning);
}

function badValue(name: string, value: string, meaning: string): string {
  return `knob "${name}" is "${value}", but wants ${meaning}`;
}

function isFaultName(name: string): name is FaultName {
  return (faultNames as readonly string[]).includes(name);
}

/** NaN when it is none. */
function probabilityOf(value: string): number {
  return /^(?:0?\.\d+|[01](?:\.\d+)?)$/.test(value) && Number(value) <= 1
    ? Number(value)
    : Number.NaN;
}

function splitOnce(text: string, mark: string): [string, string?] {
  const at = text.indexOf(mark);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
