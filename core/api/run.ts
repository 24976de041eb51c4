/** Runs jobs inside the caller's process until a promise resolves. */

import { type Agent, discoverAgents, loadAgent } from '../agent/index.ts';
import type { Config, Environment } from '../config/index.ts';
import type { JobQueue } from '../job-queue/index.ts';
import type { JobReport, RuntimeLog, StartedConsumer } from '../runtime/index.ts';
import type { Trust } from '../trust/index.ts';
import type { RunOptions, RunSummary } from './contract.ts';
import { RunError } from './run-error.ts';

/** What all parts of a connection share. */
export interface Connection {
  readonly config: Config;
  readonly env: Environment;
  /** Both as they are now. @throws ConfigError */
  readonly reread: () => Promise<Pick<Connection, 'config' | 'env' | 'trust'>>;
  readonly queue: JobQueue;
  readonly trust: Trust;
  readonly onNotice: (line: string) => void;
}

/** @param closing the connection's end, which leaves running jobs no time */
export async function runJobs(
  connection: Connection,
  options: RunOptions,
  closing: AbortSignal,
): Promise<RunSummary> {
  const { signal, onJob, untilEmpty = true } = options;
  // The runtime must not be disturbed: what the caller's function throws ends the run instead.
  const failing = new AbortController();
  const hear = (report: JobReport): void => {
    try {
      onJob?.(report);
    } catch (error) {
      failing.abort(error);
    }
  };
  const { runtime, close } = await start(connection, options, hear);
  const drain = (): void => void runtime.drain();
  const abort = (): void => void runtime.abort();
  const releases = [
    onAbort(signal, drain),
    onAbort(closing, abort),
    onAbort(failing.signal, abort),
  ];
  try {
    const { fatal, ...summary } = await (untilEmpty ? runtime.untilEmpty() : runtime.done);
    failing.signal.throwIfAborted();
    if (fatal !== null) throw new RunError(fatal.code, fatal.message);
    return summary;
  } finally {
    for (const release of releases) release();
    await runtime.abort();
    await close();
  }
}

async function start(
  { config, env, reread, queue, trust, onNotice }: Connection,
  { agents, model }: RunOptions,
  onJob: (report: JobReport) => void,
): Promise<StartedConsumer> {
  const chosen = await chooseAgents(config, agents, onNotice);
  const names = chosen.map(({ name }) => name);
  // Loaded here, so that a program that only queues jobs starts without it.
  const { startConsumer } = await import('../runtime/index.ts');
  try {
    return await startConsumer({
      config,
      env,
      queue,
      trust,
      agents: chosen,
      reread: async () => {
        const now = await reread();
        return { ...now, agents: await loadAgents(now.config, names) };
      },
      model: model ?? null,
      outputDir: config.output.dir,
      concurrency: config.run.concurrency,
      threads: config.run.threads,
      budgets: config.budgets,
      log: noticesOnly(onNotice),
      onProvider: onNotice,
      onWarning: onNotice,
      onJob,
    });
  } catch (error) {
    // Recognized by name: asking `instanceof` would load the model layer into every program.
    if (!(error instanceof Error) || error.name !== 'ProviderError') throw error;
    throw new RunError((error as Error & { code: string }).code, error.message, { cause: error });
  }
}

async function chooseAgents(
  { agentPaths, limits }: Config,
  names: readonly string[] | undefined,
  onNotice: Connection['onNotice'],
): Promise<Agent[]> {
  if (names !== undefined && names.length > 0) {
    return loadAgents({ agentPaths, limits }, [...new Set(names)]);
  }
  const { agents, broken } =
    names === undefined ? await discoverAgents(agentPaths, limits) : noAgents;
  for (const { name, problems } of broken) {
    const [first] = problems;
    onNotice(`agent "${name}" is left out: ${first?.message ?? 'it is broken'} (${first?.file})`);
  }
  if (agents.length > 0) return agents;
  throw new RunError('no_agent', 'there is no agent to run; make one: agents/<name>/agent.yaml');
}

function loadAgents(
  { agentPaths, limits }: Pick<Config, 'agentPaths' | 'limits'>,
  names: readonly string[],
): Promise<Agent[]> {
  return Promise.all(names.map((name) => loadAgent(name, agentPaths, limits)));
}

const noAgents = { agents: [], broken: [] };

/** Calls back once the signal aborts, also when it has already; returns how to stop listening. */
function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined) return () => undefined;
  signal.addEventListener('abort', callback, { once: true });
  if (signal.aborted) callback();
  return () => signal.removeEventListener('abort', callback);
}

function ignore(): void {
  // Routine lines of the runtime's log.
}

function noticesOnly(onNotice: Connection['onNotice']): RuntimeLog {
  const notify: RuntimeLog['warn'] = (fields, message) => {
    const parts = Object.entries(fields).map(([key, value]) => `${key}=${String(value)}`);
    onNotice([message, ...parts].join(' '));
  };
  return { debug: ignore, info: ignore, warn: notify, error: notify };
}
