/** From a folder to a connection: configuration, environment, broker. */

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { didYouMean } from '../agent/index.ts';
import {
  ConfigError,
  type Environment,
  loadConfig,
  loadEnvironment,
  type Overrides,
  settingPaths,
} from '../config/index.ts';
import { openQueue } from '../queue/index.ts';
import { createAiq } from './aiq.ts';
import type { Aiq } from './contract.ts';

export interface ConnectOptions {
  /**
   * Folder whose `aiq.config.yaml` counts, looked for upwards; paths in `settings` refer to it.
   * Default: the working folder.
   */
  readonly dir?: string;
  /** The configuration file, instead of looking for one. */
  readonly configFile?: string;
  /** Settings that win over environment and file, such as `{ 'run.concurrency': 4 }`. */
  readonly settings?: Overrides;
  /** Default: the process's own. Variables of a `.env` file beside the configuration are added. */
  readonly env?: Environment;
  /**
   * Told, in one line each, what a person may want to know: the provider that was chosen, agents
   * that are left out, connections lost and regained. Default: nobody is told.
   */
  readonly onNotice?: (line: string) => void;
}

/**
 * Connects to the broker that the configuration names. With the default `file:./.aiq` it starts that
 * folder's broker when none runs; it leaves by itself when nobody uses it.
 * @throws ConfigError when a setting cannot be used, or `dir` is no folder
 * @throws AiqError `UNREACHABLE` when nobody answers, `UNAUTHORIZED` when the token is wrong
 */
export async function connect(options: ConnectOptions = {}): Promise<Aiq> {
  const { configFile, settings = {}, onNotice = ignore } = options;
  checkNames(settings);
  if (options.dir !== undefined) checkFolder(resolve(options.dir));
  const lookup = {
    cwd: resolve(options.dir ?? '.'),
    env: options.env ?? process.env,
    ...(configFile === undefined ? {} : { file: configFile }),
  };
  const read = () => ({
    config: loadConfig({
      ...lookup,
      overrides: settings,
      overridesPlace: 'in the settings of connect()',
    }),
    env: loadEnvironment(lookup).env,
  });
  const { config, env } = read();
  const queue = await openQueue({
    broker: config.broker,
    tokenFile: config.brokerTokenFile,
    clientName: `aiq api ${process.pid}`,
    onNotice,
  });
  return createAiq({ config, env, reread: async () => read(), queue, onNotice });
}

/** A misspelt folder must not be made, with a broker in it. */
function checkFolder(dir: string): void {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new ConfigError(`dir: there is no folder ${dir}`);
}

/** For callers without types: a misspelt setting must not be a setting that has no effect. */
function checkNames(settings: Overrides): void {
  const known: readonly string[] = settingPaths;
  for (const name of Object.keys(settings)) {
    if (known.includes(name)) continue;
    const near = didYouMean(name, known);
    const hint = near === null ? `There are ${known.join(', ')}.` : `Did you mean "${near}"?`;
    throw new ConfigError(`"${name}" is no setting. ${hint}`);
  }
}

function ignore(): void {
  // The caller did not ask to be told.
}
