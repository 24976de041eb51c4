/** Starts a consumer in this process that reports on the terminal. */

import type { Agent } from '../agent/index.ts';
import type { Config } from '../config/index.ts';
import type { AiqError, JobQueue } from '../job-queue/index.ts';
import type { JobReport, RunSummary, RuntimeLog, StartedConsumer } from '../runtime/index.ts';
import { CliError } from './errors.ts';
import type { Terminal } from './output/terminal.ts';
import type { Session } from './session.ts';

export interface ConsumerSettings {
  readonly queue: JobQueue;
  readonly agents: readonly Agent[];
  /** Model of the command line; wins over the agents' own. */
  readonly model: string | null;
  readonly outputDir: string;
  /** Folder that `knowledge` is relative to, when it is not the configuration's. */
  readonly baseDir?: string;
  readonly concurrency: number;
  readonly threads: number;
  readonly onJob: (report: JobReport) => void;
  /** The agents again, as a changed configuration has them; default: as they are. */
  readonly rereadAgents?: (config: Config) => Promise<readonly Agent[]>;
  /** Called when jobs cannot continue without a change by the user. */
  readonly onStuck?: (error: CliError) => void;
}

export type Consumer = StartedConsumer;

/**
 * Starts working.
 * @throws ProviderError when no provider can be used as asked for
 */
export async function startConsumer(
  session: Session,
  settings: ConsumerSettings,
): Promise<Consumer> {
  const { terminal } = session;
  const runtime = await import('../runtime/index.ts');
  const config = await session.config();
  const { baseDir = config.baseDir, rereadAgents, onStuck, ...rest } = settings;
  try {
    return await runtime.startConsumer({
      ...rest,
      config: { ...config, baseDir },
      budgets: config.budgets,
      env: await session.environment(),
      trust: await session.trust(),
      reread: async () => {
        const { config: now, env, trust } = await session.reread();
        const agents = (await rereadAgents?.(now)) ?? settings.agents;
        return { config: { ...now, baseDir }, env, agents, trust };
      },
      onStuck: (reason) => onStuck?.(stuckError(reason)),
      log: await runtimeLog(terminal),
      onProvider: (line) => terminal.note(line),
      onWarning: (line) => terminal.warn(line),
    });
  } catch (error) {
    const isInvalid = error instanceof RangeError || isOtherTerms(error);
    throw isInvalid ? new CliError('invalid', error.message) : error;
  }
}

/** Only budgets are made known at the start: the broker has one with other terms, and says what to do. */
function isOtherTerms(error: unknown): error is Error {
  return error instanceof Error && (error as Partial<AiqError>).code === 'CONFLICT';
}

/** Warnings by default; a full log with `--verbose`, JSON lines with `--json`. */
async function runtimeLog(terminal: Terminal): Promise<RuntimeLog> {
  if (terminal.verbose || terminal.json) {
    const { createLogger } = await import('./output/logger.ts');
    return createLogger({ level: terminal.verbose ? 'debug' : 'warn', json: terminal.json });
  }
  const warn: RuntimeLog['warn'] = (fields, message) => terminal.warn(withFields(message, fields));
  return { debug: ignore, info: ignore, warn, error: warn };
}

function ignore(): void {
  // Shown with --verbose only.
}

function withFields(message: string, fields: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(fields).map(([key, value]) => `${key}=${String(value)}`);
  return [message, ...parts].join(' ');
}

/** The error for a runtime that gave up; null when it ended as it should. */
export function fatalError({ fatal }: RunSummary): CliError | null {
  if (fatal === null) return null;
  if (!fatal.code.startsWith('threads')) return stuckError(fatal);
  return new CliError('unexpected', fatal.message, [notCharged]);
}

const notCharged = 'Unfinished jobs stay queued; no attempt was charged.';

function stuckError({ message }: { readonly message: string }): CliError {
  const waiting = 'Fix it and run the same command again; `aiq run` waits and continues by itself.';
  const without = 'Without a key: aiq run --provider offline';
  return new CliError('credential', message, [notCharged, waiting, without]);
}
