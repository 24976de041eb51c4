/** `aiq broker start | status | stop`. */

import type { Config } from '../../config/index.ts';
import type { Starting } from '../../host/index.ts';
import type { QueueStats } from '../../job-queue/index.ts';
import { CliError, usageError } from '../errors.ts';
import { type ExitName, exitCode } from '../exit-codes.ts';
import { parseCount } from '../input/values.ts';
import { pathAsGiven } from '../paths.ts';
import { queueTable } from '../queue-view.ts';
import type { Session } from '../session.ts';
import { exitOfSignal, onStopSignals } from '../signals.ts';
import { formatAge, formatBytes } from '../table.ts';

interface StartFlags {
  readonly dir?: string;
  readonly listen?: string;
  readonly ioThreads?: string;
}

/** Runs until it is stopped by a signal or by `aiq broker stop`. */
export async function startBroker(session: Session, flags: StartFlags): Promise<ExitName> {
  const tcp = flags.listen === undefined ? null : parseListen(flags.listen);
  const dir = flags.dir === undefined ? folderOf(await session.config()) : pathAsGiven(flags.dir);
  const threads = ioThreads(flags);
  const { terminal } = session;
  const { becomeBrokerProcess } = await import('../../host/index.ts');
  becomeBrokerProcess();
  const { startBroker: start } = await import('../../broker/index.ts');
  const broker = await start({
    dir,
    unix: true,
    tcp,
    idleExitMs: null,
    ...threads,
    onNotice: (text) => terminal.note(text),
  }).catch((error: unknown) => {
    // A broker that failed must not live on in a process that something else still holds.
    setTimeout(() => process.exit(), failedMs).unref();
    throw isFileError(error)
      ? new CliError('broker', `no broker can start in ${dir}: ${error.message}`)
      : error;
  });
  // Before anybody is told that it serves: who reads that may stop it at once.
  const release = onStopSignals(
    () => void broker.stop(),
    (signal) => process.exit(exitCode(exitOfSignal(signal))),
  );
  const { unix, tcp: listening } = broker.addresses;
  if (terminal.json)
    terminal.result(JSON.stringify({ pid: process.pid, dir, unix, tcp: listening }));
  terminal.note(`broker ${process.pid} serves ${dir}`);
  if (listening !== null) {
    terminal.note(`listening on tcp://${listening.host}:${listening.port}, token in ${dir}/token`);
  }
  terminal.hint('Ctrl-C stops it; queued jobs stay.');
  const end = await broker.closed;
  release();
  if (end.reason === 'failed')
    throw new CliError('broker', `the broker stopped: ${end.error.message}`);
  return 'ok';
}

/** So long the message has to leave. */
const failedMs = 1_000;

/** The file system refused: not a bug, and for whoever needs the broker the same as none. */
function isFileError(error: unknown): error is Error {
  return error instanceof Error && (error.name === 'FolderError' || 'syscall' in error);
}

const ioThreadsMax = 64;

/** The Unix socket has one thread whatever is said, so the flag alone would change nothing. */
function ioThreads({ listen, ioThreads: text }: StartFlags): { ioThreads?: number } {
  if (text === undefined) return {};
  const count = parseCount('--io-threads', text, ioThreadsMax);
  if (listen === undefined) throw usageError('--io-threads needs --listen');
  return { ioThreads: count };
}

const loopback = new Set(['127.0.0.1', 'localhost', '::1']);

/** Only loopback: beyond it, a token in a file would be no protection. */
function parseListen(address: string): { host: string; port: number } {
  const url = URL.canParse(address) ? new URL(address) : null;
  const host = url?.hostname.replace(/^\[|\]$/g, '') ?? '';
  if (url?.protocol !== 'tcp:' || url.port === '' || !loopback.has(host)) {
    throw usageError(
      `--listen: cannot listen on ${JSON.stringify(address)}`,
      'Only loopback is served: --listen tcp://127.0.0.1:4222 (port 0 picks a free one).',
    );
  }
  return { host, port: Number(url.port) };
}

/** The folder of a `file:` broker: the only kind that this command can start. */
export function folderOf({ broker }: Config): string {
  if (broker.startsWith('file:')) return broker.slice('file:'.length);
  throw usageError(
    `the configured broker ${broker} has no folder here`,
    'Name one: --dir <folder>',
  );
}

/** Looks without starting anything: a broker that does not run is an answer, not an error. */
export async function showBroker(session: Session): Promise<ExitName> {
  const { broker } = await session.config();
  const { terminal } = session;
  const { stats, troubles, starting } = await statsOf(session, broker);
  if (stats === null) {
    terminal.result(
      terminal.json ? notRunningJson(broker, starting) : await notRunning(broker, starting),
    );
    return 'ok';
  }
  if (terminal.json) {
    const { startedAtMs, ...rest } = stats;
    const startedAt = new Date(startedAtMs).toISOString();
    terminal.result(
      JSON.stringify({ running: true, address: broker, startedAt, ...rest, troubles }, null, 2),
    );
    return 'ok';
  }
  const age = formatAge(Date.now() - stats.startedAtMs);
  terminal.result(`broker ${stats.pid} serves ${broker} for ${age}`);
  for (const line of storageLines(stats)) terminal.result(line);
  if (stats.diskFull) terminal.warn(diskFullText);
  for (const trouble of troubles) terminal.warn(trouble);
  for (const line of queueTable(stats.queues)) terminal.result(line);
  return 'ok';
}

function notRunningJson(address: string, starting: Starting | null): string {
  const { pid, percent, jobs } = starting ?? {};
  const fields = starting === null ? {} : { starting: { pid, percent, jobs } };
  return JSON.stringify({ running: false, address, ...fields });
}

async function notRunning(broker: string, starting: Starting | null): Promise<string> {
  if (starting === null) return `no broker runs for ${broker}`;
  const { startingText } = await import('../../host/index.ts');
  return startingText(broker, starting);
}

const diskFullText =
  'the log has no room: nothing is accepted or delivered until there is some; settles go on';

function storageLines(stats: QueueStats): string[] {
  const { logBytes, logLiveBytes, logSegments, durableOffset, historyOffset } = stats;
  const deadBytes = Math.max(0, logBytes - logLiveBytes);
  const segments = logSegments === 1 ? '1 segment' : `${logSegments} segments`;
  return [
    `log      ${formatBytes(logBytes)} in ${segments}: ${formatBytes(logLiveBytes)} live, ${formatBytes(deadBytes)} dead`,
    `disk     ${formatBytes(stats.diskFreeBytes)} free`,
    `history  up to record ${historyOffset} of ${durableOffset}`,
  ];
}

interface Found {
  readonly stats: QueueStats | null;
  /** What it cannot do at the moment. */
  readonly troubles: readonly string[];
  /** A broker that recovers its log and answers nobody yet. */
  readonly starting: Starting | null;
}

async function statsOf(session: Session, broker: string): Promise<Found> {
  if (!broker.startsWith('file:')) {
    const queue = await session.queue();
    return { stats: await queue.stats(), troubles: await queue.troubles(), starting: null };
  }
  const { brokerStatus } = await import('../../host/index.ts');
  const status = await brokerStatus(broker.slice('file:'.length));
  return status.running
    ? { stats: status.stats, troubles: status.troubles, starting: null }
    : { stats: null, troubles: [], starting: status.starting ?? null };
}

/** Stops the folder's broker and waits until it is gone; a broker that does not run is fine. */
export async function endBroker(session: Session): Promise<ExitName> {
  const { broker } = await session.config();
  const { terminal } = session;
  if (!broker.startsWith('file:')) {
    await (await session.queue()).shutdown();
    terminal.note(`asked the broker at ${broker} to stop; queued jobs stay`);
    return 'ok';
  }
  const { stopBroker } = await import('../../host/index.ts');
  const outcome = await stopBroker(broker.slice('file:'.length));
  terminal.note(
    outcome === 'stopped'
      ? `stopped the broker of ${broker}; queued jobs stay`
      : `no broker runs for ${broker}`,
  );
  return 'ok';
}
