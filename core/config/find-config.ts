/** Which configuration file counts, and which environment: the process's own plus `.env`. */

import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { formatFinding } from '../yaml/index.ts';
import { ConfigError } from './config.ts';

export const configName = 'aiq.config.yaml';

export type Environment = { readonly [name: string]: string | undefined };

/** What a search for the configuration needs. */
export interface Lookup {
  /** The working folder, absolute. */
  readonly cwd: string;
  readonly env: Environment;
  /** `--config`: the file to take, instead of looking for one. */
  readonly file?: string;
}

export interface Located {
  /** Absolute; null when there is none. */
  readonly file: string | null;
  /** Folder that relative paths in it refer to. */
  readonly baseDir: string;
}

/**
 * The nearest `aiq.config.yaml` from the working folder upwards, as far as the repository's root;
 * else the user's own, whose paths refer to the working folder.
 * @throws ConfigError when `--config` names no file, or a file has nearly the right name
 */
export function locateConfig({ cwd, env, file }: Lookup): Located {
  if (file !== undefined) {
    const path = resolve(cwd, file);
    if (!existsSync(path)) throw new ConfigError(`no configuration file at ${path} (--config)`);
    return { file: path, baseDir: dirname(path) };
  }
  let folder = resolve(cwd);
  for (;;) {
    const path = join(folder, configName);
    if (existsSync(path)) return { file: path, baseDir: folder };
    const misnamed = join(folder, 'aiq.config.yml');
    if (existsSync(misnamed)) {
      const place = { file: misnamed, line: 1, column: 1 };
      throw new ConfigError(
        formatFinding({ ...place, message: `rename this file to ${configName}` }),
      );
    }
    const parent = dirname(folder);
    if (parent === folder || existsSync(join(folder, '.git'))) break;
    folder = parent;
  }
  const own = ownConfigFile(env);
  return { file: existsSync(own) ? own : null, baseDir: resolve(cwd) };
}

/** The user's own configuration, which belongs to no folder; it need not be there. */
export function ownConfigFile(env: Environment): string {
  const home = env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config');
  return join(home, 'aiq', 'config.yaml');
}

/** The environment with what `.env` adds. */
export interface LoadedEnvironment {
  readonly env: Environment;
  /** The file that added something; null when there is none. */
  readonly envFile: string | null;
  /** Names of the variables that have their values from it. */
  readonly brought: ReadonlySet<string>;
}

/**
 * Reads `.env` beside the configuration (without one: in the working folder) into a copy of the
 * environment. What is set already stays.
 * @throws ConfigError when the file cannot be read
 */
export function loadEnvironment(lookup: Lookup): LoadedEnvironment {
  const envFile = join(locateConfig(lookup).baseDir, '.env');
  if (!existsSync(envFile)) return { env: lookup.env, envFile: null, brought: new Set() };
  try {
    const { parseEnv } = process.getBuiltinModule('node:util');
    const written = parseEnv(decoded(readFileSync(envFile)));
    const brought = new Set(
      Object.keys(written).filter((name) => !Object.hasOwn(lookup.env, name)),
    );
    return { env: { ...written, ...lookup.env }, envFile, brought };
  } catch (error) {
    throw new ConfigError(`${envFile} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Windows puts a mark in front, or writes UTF-16 behind one; without it the first variable has another name. */
function decoded(bytes: Uint8Array): string {
  const [first, second] = bytes;
  const isUtf16 = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  const encoding = !isUtf16 ? 'utf-8' : first === 0xff ? 'utf-16le' : 'utf-16be';
  return new TextDecoder(encoding).decode(bytes);
}
