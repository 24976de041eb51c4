/**
 * What one invocation shares: the terminal, the configuration and the connection to the broker,
 * each created on first use.
 */

import type {
  Config,
  ExplainedSetting,
  LoadedEnvironment,
  Lookup,
  Overrides,
} from '../config/index.ts';
import type { JobQueue } from '../job-queue/index.ts';
import type { Trust } from '../trust/index.ts';
import { usageError, withTokenFile } from './errors.ts';
import type { ExitName } from './exit-codes.ts';
import { type ColorMode, createTerminal, type Terminal } from './output/terminal.ts';

/** Flags that every command takes. */
export interface GlobalFlags {
  readonly config?: string;
  readonly trust?: boolean;
  readonly broker?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly color?: ColorMode;
}

export interface Session {
  readonly terminal: Terminal;
  /** @throws ConfigError; CliError when a flag is at fault; TrustError when it is another user's */
  config(): Promise<Config>;
  /** The same without the check of the owner, for commands that only show it. @throws as `config` */
  foundConfig(): Promise<Config>;
  /** What the folder may do. @throws as `foundConfig` */
  trust(): Promise<Trust>;
  /** Reads everything again; asks no question. @throws as `config` */
  reread(): Promise<Reread>;
  /** Every setting with where it comes from. @throws as `config` */
  settings(): Promise<ExplainedSetting[]>;
  /** The process's environment with what `.env` adds. */
  environment(): Promise<LoadedEnvironment['env']>;
  /** The same, with the `.env` file that was read. */
  loadedEnvironment(): Promise<LoadedEnvironment>;
  /** Connects, and starts the broker of a `file:` folder when none runs. @throws AiqError */
  queue(): Promise<JobQueue>;
  close(): Promise<void>;
}

interface Reread {
  readonly config: Config;
  readonly env: LoadedEnvironment['env'];
  readonly trust: Trust;
}

/** Runs a command's work in the invocation's session, and closes it. */
export type RunAction = (
  work: (session: Session) => Promise<ExitName>,
  overrides?: Overrides,
) => Promise<void>;

/** @param overrides settings given as flags of the command */
export function createSession(flags: GlobalFlags, overrides: Overrides = {}): Session {
  const broker = flags.broker === undefined ? {} : { broker: flags.broker };
  const allOverrides: Overrides = { ...overrides, ...broker };
  let found: Promise<Config> | null = null;
  let config: Promise<Config> | null = null;
  let trust: Promise<Trust> | null = null;
  let queue: Promise<JobQueue> | null = null;
  const session: Session = {
    terminal: createTerminal({
      json: flags.json ?? false,
      quiet: flags.quiet ?? false,
      verbose: flags.verbose ?? false,
      color: flags.color ?? 'auto',
    }),
    foundConfig: () => (found ??= readConfig(flags, allOverrides, session.terminal)),
    config: () => (config ??= trustedConfig(session)),
    trust: () => (trust ??= readTrust(flags, session)),
    reread: async () => {
      const { loadConfig, loadEnvironment } = await import('../config/index.ts');
      const { trustFor } = await import('./input/trust-question.ts');
      const { fileNeeds } = await import('../trust/index.ts');
      const lookup = lookupOf(flags);
      const now = loadConfig({ ...lookup, overrides: allOverrides });
      const loaded = loadEnvironment(lookup);
      const { silent } = trustFor({
        config: now,
        loaded,
        flag: flags.trust,
        terminal: session.terminal,
      });
      await silent.allow(fileNeeds({ file: now.file, envFile: loaded.envFile }));
      return { config: now, env: loaded.env, trust: silent };
    },
    settings: async () => {
      await session.foundConfig();
      const { explainConfig } = await import('../config/index.ts');
      return explainConfig({ ...lookupOf(flags), overrides: allOverrides });
    },
    environment: async () => (await session.loadedEnvironment()).env,
    loadedEnvironment: async () => {
      const { loadEnvironment } = await import('../config/index.ts');
      return loadEnvironment(lookupOf(flags));
    },
    queue: () => {
      queue ??= session.config().then((opened) => connect(opened, session.terminal));
      return queue;
    },
    close: async () => {
      const opened = await queue?.catch(() => null);
      await opened?.close();
    },
  };
  return session;
}

async function readConfig(
  flags: GlobalFlags,
  overrides: Overrides,
  terminal: Terminal,
): Promise<Config> {
  const { loadConfig, loadEnvironment, unknownVariables } = await import('../config/index.ts');
  const lookup = lookupOf(flags);
  try {
    const config = loadConfig({ ...lookup, overrides });
    const { env, envFile, brought } = loadEnvironment(lookup);
    for (const line of unknownVariables(env)) terminal.warn(line);
    if (brought.has('AIQ_TRUST'))
      terminal.warn(`AIQ_TRUST in ${envFile} has no effect: a folder cannot allow itself`);
    return config;
  } catch (error) {
    // Throws when the problem is not in the flags.
    loadConfig(lookup);
    throw usageError((error as Error).message);
  }
}

/** The configuration; one of another user only when that is allowed. */
async function trustedConfig(session: Session): Promise<Config> {
  const config = await session.foundConfig();
  const { fileNeeds } = await import('../trust/index.ts');
  const { envFile } = await session.loadedEnvironment();
  await (await session.trust()).allow(fileNeeds({ file: config.file, envFile }));
  return config;
}

async function readTrust({ trust: flag }: GlobalFlags, session: Session): Promise<Trust> {
  const { trustFor } = await import('./input/trust-question.ts');
  const [config, loaded] = [await session.foundConfig(), await session.loadedEnvironment()];
  return trustFor({ config, loaded, flag, terminal: session.terminal });
}

function lookupOf({ config }: GlobalFlags): Lookup {
  const lookup = { cwd: process.cwd(), env: process.env };
  return config === undefined ? lookup : { ...lookup, file: config };
}

/** Opens the configured queue; problems are printed as they occur. */
export async function connect(config: Config, terminal: Terminal): Promise<JobQueue> {
  const { openQueue } = await import('../job-queue/index.ts');
  const { broker, brokerTokenFile: tokenFile } = config;
  const clientName = `aiq ${process.pid}`;
  const onNotice = (text: string): void => terminal.note(text);
  return openQueue({ broker, tokenFile, clientName, onNotice }).catch((error: unknown) => {
    throw withTokenFile(error, tokenFile);
  });
}
