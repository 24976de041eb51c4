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

/** Runs until it is stopped by a signal or by `aiq broker stop`. */
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
  const folder = brokerFolder(broker);
  if (folder !== null) return folder;
  throw usageError(
    `the configured broker ${broker} has no folder here`,
    'Name one: --dir <folder>',
  );
}
