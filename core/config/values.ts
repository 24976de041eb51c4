/** The small languages of settings: durations, sizes, counts, paths and broker addresses. */

import { resolve } from 'node:path';
import {
  parseCount as countOf,
  durationProblem,
  parseDuration,
  parseSize as sizeOf,
} from '../base/index.ts';
import { shorten } from '../yaml/index.ts';

/** Why a value cannot be used; the reader adds where it was written. */
export class ValueError extends Error {}

function fail(reason: string): never {
  throw new ValueError(reason);
}

/** A text that is not blank; null stays null. */
export function parseText(raw: unknown): string | null {
  if (raw === null) return null;
  if (typeof raw === 'string' && raw.trim() !== '') return raw.trim();
  return fail(`${shorten(raw)} is not a text`);
}

/** What only a shell fills in: a folder would get that very name. */
const variable = /\$\{|(?:^|\/)\$[A-Z_][A-Z0-9_]*(?:\/|$)/;

/** A path, absolute or seen from `dir`. */
export function parsePath(raw: unknown, dir: string): string {
  const refused = `${shorten(raw)} is not a path`;
  if (typeof raw !== 'string' || raw === '' || raw.includes('\0')) return fail(refused);
  if (raw.startsWith('~')) {
    const fix = `write the folder in full, or ./${raw} for one of that name`;
    return fail(`${refused}: only a shell knows ~; ${fix}`);
  }
  if (variable.test(raw)) {
    return fail(`${refused}: variables are not filled in here; write the folder in full`);
  }
  return resolve(dir, raw);
}

/** A list of paths; a text holds several between colons, as `PATH` does. */
export function parsePaths(raw: unknown, dir: string): string[] {
  const list = typeof raw === 'string' ? raw.split(':').filter((part) => part !== '') : raw;
  if (!Array.isArray(list) || list.length === 0)
    return fail(`${shorten(raw)} is not a list of paths`);
  return list.map((path: unknown) => parsePath(path, dir));
}

/** A whole number within bounds. */
export function parseCount(min: number, max: number): (raw: unknown) => number {
  return (raw) => {
    const count = countOf(String(raw), min, max);
    return count ?? fail(`${shorten(raw)} is not a whole number from ${min} to ${max}`);
  };
}

/** `250ms`, `90s`, `5m`, `1h`, `2d` in milliseconds. */
export function readDuration(raw: unknown): number {
  const text = String(raw);
  return parseDuration(text) ?? fail(`${shorten(raw)} ${durationProblem(text)}`);
}

const mib = 1024 * 1024;

/** A number of bytes, also as `512KiB` or `4MiB`. */
export function parseSize(max: number): (raw: unknown) => number {
  return (raw) => {
    const bytes = sizeOf(String(raw), max);
    return bytes ?? fail(`${shorten(raw)} is not a size up to ${max / mib}MiB, such as 512KiB`);
  };
}

const forms = 'file:<folder>, unix:<socket> or tcp://127.0.0.1:<port>';

/** Where the broker is, with absolute paths. */
export function parseBroker(raw: unknown, dir: string): string {
  if (typeof raw !== 'string') return fail(`${shorten(raw)} is not an address: ${forms}`);
  const [, scheme = '', rest = ''] = /^([a-z]+):(.*)$/.exec(raw) ?? [];
  if (scheme === 'file' || scheme === 'unix') {
    if (rest === '') return fail(`${shorten(raw)} names no path: ${forms}`);
    const [, named] = /^\/\/([^/].*)$/.exec(rest) ?? [];
    if (named !== undefined) {
      const fix = `the name after // is a machine; write ${scheme}:${named}`;
      return fail(`${shorten(raw)} is no folder: ${fix}`);
    }
    return `${scheme}:${parsePath(rest, dir)}`;
  }
  if (scheme === 'tcp') return parseTcp(raw);
  if (scheme === 'nats')
    return fail(`${shorten(raw)}: NATS is not in this version of aiq; ${forms}`);
  return fail(`${shorten(raw)} is not an address: ${forms}`);
}

function parseTcp(raw: string): string {
  const [, host = '', port = ''] =
    /^tcp:\/\/([^/:]+|\[[0-9a-f:]+\]):(\d{1,5})\/?$/i.exec(raw) ?? [];
  if (host === '' || Number(port) < 1 || Number(port) > 65_535) {
    return fail(`${shorten(raw)} is not an address like tcp://127.0.0.1:7717`);
  }
  if (!/^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/i.test(host)) {
    return fail(`${shorten(raw)}: this version of aiq talks to brokers on this machine only`);
  }
  return `tcp://${host.toLowerCase()}:${Number(port)}`;
}
