/** `aiq broker start`: runs a broker in the foreground. */

import { brokerFolder } from '../../../base/index.ts';
import type { Config } from '../../../config/index.ts';
import { CliError, usageError } from '../../errors.ts';
import { type ExitName, exitCode } from '../../exit-codes.ts';
import { parseCount, readPath } from '../../input/values.ts';
import type { Session } from '../../session.ts';
import { exitOfSignal, onStopSignals } from '../../signals.ts';

interface StartFlags {
  readonly dir?: string;
  readonly listen?: string;
  readonly ioThreads?: string;
}

/** Runs until a signal or `aiq broker stop`. */
export async function startBroker(session: Session, flags: StartFlags): Promise<ExitName> {
  const tcp = flags.listen === undefined ? null : parseListen(flags.listen);
  const dir = flags.dir === undefined ? folderOf(await session.config()) : readPath(flags.dir);
  const threads = ioThreads(flags);
  const { terminal } = session;
  const { becomeBrokerProcess } = await import('../../../host/index.ts');
  becomeBrokerProcess();
  const { startBroker: start } = await import('../../../broker/index.ts');
  const broker = await start({
    dir,
    unix: true,
    tcp,
    idleExitMs: null,
    ...threads,
    onNotice: (text) => terminal.note(text),
  }).catch((error: unknown) => {
    // Exits even when something still keeps the process alive.
    setTimeout(() => process.exit(), failedMs).unref();
    throw isFileError(error)
      ? new CliError('broker', `cannot start a broker in ${dir}: ${error.message}`)
      : error;
  });
  // Before the address is printed: its reader may stop the broker at once.
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

/** Time for the error message to be written. */
const failedMs = 1_000;

/** An error of the file system, which is no bug. */
function isFileError(error: unknown): error is Error {
  return error instanceof Error && (error.name === 'FolderError' || 'syscall' in error);
}

const ioThreadsMax = 64;

/** Only for TCP: the Unix socket always has one thread. */
function ioThreads({ listen, ioThreads: text }: StartFlags): { ioThreads?: number } {
  if (text === undefined) return {};
  const count = parseCount('--io-threads', text, ioThreadsMax);
  if (listen === undefined) throw usageError('--io-threads requires --listen');
  return { ioThreads: count };
}

const loopback = new Set(['127.0.0.1', 'localhost', '::1']);

/** Loopback only: elsewhere the token would travel without encryption. */
function parseListen(address: string): { host: string; port: number } {
  const url = URL.canParse(address) ? new URL(address) : null;
  const host = url?.hostname.replace(/^\[|\]$/g, '') ?? '';
  if (url?.protocol !== 'tcp:' || url.port === '' || !loopback.has(host)) {
    throw usageError(
      `--listen: cannot listen on ${JSON.stringify(address)}`,
      'Only loopback addresses are allowed: --listen tcp://127.0.0.1:4222 (port 0 picks a free one).',
    );
  }
  return { host, port: Number(url.port) };
}

/** The folder of a `file:` broker. @throws CliError `usage` for any other address */
export function folderOf({ broker }: Config): string {
  const folder = brokerFolder(broker);
  if (folder !== null) return folder;
  throw usageError(
    `the configured broker ${broker} has no folder on this machine`,
    'Use --dir <folder>.',
  );
}
