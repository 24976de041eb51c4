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
import { openQueue } from '../job-queue/index.ts';
import { createTrust, fileNeeds, isTrustGiven } from '../trust/index.ts';
import { createAiq } from './aiq.ts';
import type { Aiq } from './contract.ts';
import type { Connection } from './run.ts';

export interface ConnectOptions {
  /**
   * Folder whose `aiq.config.yaml` counts, searched upwards; paths in `settings` refer to it.
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
   * True lets the folder send keys to its addresses and run its tool modules, as `aiq --trust` does.
   * Default: what was allowed with `aiq trust`, or `AIQ_TRUST=1`.
   */
  readonly trust?: boolean;
  /**
   * Gets, in one line each, what a person may want to know: the provider that was chosen, agents
   * that are left out, connections lost and regained. Default: not reported.
   */
  readonly onNotice?: (line: string) => void;
}

/**
 * Connects to the broker that the configuration names. With the default `file:./.aiq` it starts that
 * folder's broker when none runs; it exits when it is idle.
 * @throws ConfigError when a setting cannot be used, or `dir` is no folder
 * @throws TrustError when the configuration belongs to another user
 * @throws AiqError `UNREACHABLE` when nothing answers, `UNAUTHORIZED` when the token is wrong
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
  const read = async (): Promise<Pick<Connection, 'config' | 'env' | 'trust'>> => {
    const config = loadConfig({
      ...lookup,
      overrides: settings,
      overridesPlace: 'in the settings of connect()',
    });
    const { env, envFile, brought } = loadEnvironment(lookup);
    const isGiven = options.trust === true || isTrustGiven(lookup.env);
    const trust = createTrust({ config, env: lookup.env, brought, isGiven, question: null });
    await trust.allow(fileNeeds({ file: config.file, envFile }));
    return { config, env, trust };
  };
  const now = await read();
  const { config } = now;
  const queue = await openQueue({
    broker: config.broker,
    tokenFile: config.brokerTokenFile,
    clientName: `aiq api ${process.pid}`,
    onNotice,
  });
  return createAiq({ ...now, reread: read, queue, onNotice });
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
  // The caller did not ask for notices.
}
