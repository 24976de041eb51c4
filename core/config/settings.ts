/** Table of all single-valued settings: path, kind and default. Files, environment and flags are read by it. */

import { availableParallelism } from 'node:os';
import { suggestion } from '../yaml/index.ts';
import {
  parseBroker,
  parseCount,
  parsePath,
  parsePaths,
  parseSize,
  parseText,
  readDuration,
} from './values.ts';

/** Turns what was written into a value, or throws a `ValueError` that says why not. */
export type Parse<T> = (raw: unknown, dir: string) => T;

interface Setting<T> {
  readonly parse: Parse<T>;
  /** As it would be written in the file. */
  readonly fallback: () => unknown;
}

const setting = <T>(parse: Parse<T>, fallback: () => unknown): Setting<T> => ({ parse, fallback });

const mib = 1024 * 1024;

/**
 * Jobs at one time. A job mostly waits for its model, so this is not about cores: it is polite to
 * the smallest tier of a hosted provider and what a local server still batches well.
 */
const concurrencyDefault = 8;
/** Threads only render, check and write; past four they cost memory and gain nothing. */
const threadsMax = 4;
/** More text than this hardly fits the context of a model: larger inputs need this setting. */
const inputBytesDefault = mib;
/** The input of one job, as JSON. */
const inputBytesMax = 64 * mib;

export const settings = {
  broker: setting(parseBroker, () => 'file:./.aiq'),
  brokerTokenFile: setting(parsePath, () => './.aiq/token'),
  model: setting(parseText, () => null),
  provider: setting(parseText, () => 'auto'),
  'output.dir': setting(parsePath, () => './out'),
  'run.concurrency': setting(parseCount(1, 1024), () => concurrencyDefault),
  'run.threads': setting(parseCount(1, 64), () => Math.min(availableParallelism(), threadsMax)),
  'run.grace': setting(readDuration, () => '25s'),
  'run.outage': setting(readDuration, () => '10m'),
  'limits.inputBytesMax': setting(parseSize(inputBytesMax), () => inputBytesDefault),
  'limits.answerBytesMax': setting(parseSize(64 * mib), () => 4 * mib),
  'limits.timeout': setting(readDuration, () => '2m'),
  'limits.idle': setting(readDuration, () => '60s'),
  agentPaths: setting(parsePaths, () => ['./agents']),
} as const;

export type SettingPath = keyof typeof settings;
export const settingPaths = Object.keys(settings) as readonly SettingPath[];

/** Settings with a structure of their own; only the file can hold them. */
export const structuredSettings = ['providers', 'budgets', 'prices'] as const;

/** Variables with our prefix that are no settings. */
const otherVariables = ['AIQ_OFFLINE', 'AIQ_COLOR', 'AIQ_TRUST'];

/** A line for each variable with our prefix that means nothing: a typo would else go unnoticed. */
export function unknownVariables(env: { readonly [name: string]: string | undefined }): string[] {
  const known = [...settingPaths.map(environmentName), ...otherVariables];
  return Object.keys(env)
    .filter((name) => name.startsWith('AIQ_') && !known.includes(name))
    .sort()
    .map((name) => `the variable ${name} is no setting.${suggestion(name, known)}`);
}

/** `run.concurrency` to `AIQ_RUN_CONCURRENCY`. */
export function environmentName(path: SettingPath): string {
  const words = path.replaceAll('.', '_').replaceAll(/([a-z])([A-Z])/g, '$1_$2');
  return `AIQ_${words.toUpperCase()}`;
}
