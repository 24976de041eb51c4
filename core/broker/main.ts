/**
 * The process that `core/host` starts for a folder: one broker on that folder's Unix socket, which exits
 * when idle. Its output goes to `<dir>/broker.log`.
 */

import { parseArgs } from 'node:util';
import { messageOf } from '../base/index.ts';
import { type BrokerEnd, startBroker } from './broker.ts';
import { FolderLockedError } from './folder/folder-lock.ts';
import { FolderLostError } from './folder/held-folder.ts';
import { StartError } from './folder/prepare-folder.ts';
import { LogDamagedError } from './log/contract.ts';

/** Exit statuses of sysexits.h, which `core/host` reads. */
const exitStatus = {
  ok: 0,
  usage: 64,
  damaged: 65,
  folderLost: 69,
  internal: 70,
  ioError: 74,
  locked: 75,
} as const;

function print(text: string): void {
  process.stderr.write(`${new Date().toISOString()} ${process.pid} ${text}\n`);
}

function optionsOf(argv: string[]): { dir: string; idleExitMs: number; leaseMs?: number } | null {
  const { values } = parseArgs({
    args: argv,
    options: {
      dir: { type: 'string' },
      'idle-exit-ms': { type: 'string', default: '60000' },
      'lease-ms': { type: 'string' },
    },
  });
  const idleExitMs = Number(values['idle-exit-ms']);
  if (values.dir === undefined || !Number.isSafeInteger(idleExitMs) || idleExitMs <= 0) return null;
  const leaseMs = values['lease-ms'];
  return {
    dir: values.dir,
    idleExitMs,
    ...(leaseMs === undefined ? {} : { leaseMs: Number(leaseMs) }),
  };
}

function statusOf(error: unknown): number {
  if (error instanceof FolderLockedError) return exitStatus.locked;
  if (error instanceof LogDamagedError) return exitStatus.damaged;
  if (error instanceof FolderLostError) return exitStatus.folderLost;
  if (error instanceof StartError) return exitStatus.ioError;
  if (error instanceof Error && 'code' in error) return exitStatus.ioError;
  return exitStatus.internal;
}

function statusOfEnd(end: BrokerEnd): number {
  return end.reason === 'failed' ? statusOf(end.error) : exitStatus.ok;
}

async function main(): Promise<number> {
  const options = optionsOf(process.argv.slice(2));
  if (options === null) {
    print('usage: main --dir FOLDER [--idle-exit-ms N] [--lease-ms N]');
    return exitStatus.usage;
  }
  const only = { unix: true, tcp: null, ioThreads: 1 };
  const broker = await startBroker({ ...options, ...only, onNotice: print });
  print(`serving ${options.dir}`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => void broker.stop());
  const end = await broker.closed;
  print(`ended: ${end.reason}`);
  return statusOfEnd(end);
}

main().then(
  (status) => process.exit(status),
  (error: unknown) => {
    print(messageOf(error));
    process.exit(statusOf(error));
  },
);
