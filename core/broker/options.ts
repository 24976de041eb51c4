/** Options of a broker, with defaults and the reason for each. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { type CoreOptions, coreDefaults } from './state-machine/context/core.ts';

export interface BrokerOptions {
  /** The broker's folder: lock, log, socket, endpoints. Made with mode 0700 when missing. */
  readonly dir: string;
  /** Listen on `<dir>/broker.sock`. */
  readonly unix: boolean;
  /** Listen on loopback TCP, guarded by the token in `<dir>/token`; port 0 picks one. */
  readonly tcp: { readonly host: string; readonly port: number } | null;
  /**
   * Threads that share the TCP port, 1 to 64; see `ioThreadsDefault` for the default. The Unix socket
   * has one thread, and without TCP there is no other.
   */
  readonly ioThreads?: number;
  /** Stop after this long without connections and leases; null stays for ever. */
  readonly idleExitMs: number | null;
  /** How long a lease lasts without renewal. */
  readonly leaseMs?: number;
  /** Most bytes of one log segment; less on a small disk. */
  readonly segmentBytesMax?: number;
  /** How long, and how many, done and cancelled jobs of a queue are kept. */
  readonly keepMs?: number;
  readonly keepJobs?: number;
  /** Keep a searchable history beside the log; true when left out. */
  readonly history?: boolean;
  /** Receives notices for the operator: recovery, torn tails, the reason of a stop. */
  readonly onNotice?: (text: string) => void;
}

/** Also what a start after a crash rewrites, and what one summary covers. */
const segmentBytesMaxDefault = 16 * 1024 * 1024;
const leaseMsMin = 200;

/** One core for the main thread, one for disk, clients and the system. */
const otherCores = 2;
/**
 * An I/O thread needs 0.7 to 1.3 times the CPU time that the main thread needs for the same job
 * (`bench/io-threads.ts`), so the main thread keeps one busy, and two in the worst case.
 */
const ioThreadsUseful = 2;

/**
 * Default number of I/O threads: one up to three cores, else two. Measured on two cores only, where a
 * second thread changes the rate by no more than noise (medians of 0.94 to 1.07).
 */
export function ioThreadsDefault(cores: number = availableParallelism()): number {
  return Math.max(1, Math.min(cores - otherCores, ioThreadsUseful));
}

/** More would only wait for the main thread. */
const ioThreadsMax = 64;

/**
 * The options with defaults filled in.
 * @throws RangeError when `ioThreads` is not allowed
 */
export function withDefaults(options: BrokerOptions) {
  const {
    ioThreads = ioThreadsDefault(),
    segmentBytesMax = segmentBytesMaxDefault,
    history = true,
  } = options;
  if (!Number.isSafeInteger(ioThreads) || ioThreads < 1 || ioThreads > ioThreadsMax) {
    throw new RangeError(
      `ioThreads must be a whole number from 1 to ${ioThreadsMax}, not ${ioThreads}`,
    );
  }
  return { ...options, ioThreads, segmentBytesMax, history };
}

/** The options of the state machine. */
export function coreOptions(options: BrokerOptions, brokerId: string): Omit<CoreOptions, 'crc32'> {
  const { leaseMs = coreDefaults.leaseMs } = options;
  const { keepMs = coreDefaults.keepMs, keepJobs = coreDefaults.keepJobs } = options;
  if (!Number.isSafeInteger(leaseMs) || leaseMs < leaseMsMin) {
    throw new RangeError(
      `leaseMs must be a whole number of at least ${leaseMsMin}, not ${leaseMs}`,
    );
  }
  for (const [name, value] of Object.entries({ keepMs, keepJobs })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`${name} must be a whole number of at least 1, not ${value}`);
    }
  }
  return { ...coreDefaults, leaseMs, keepMs, keepJobs, brokerId, newHash, software: software() };
}

const newHash: CoreOptions['newHash'] = () => createHash('sha256');

/** Name and version of this package. Read, not imported: the file is outside the sources. */
export function software(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return `aiq/${(JSON.parse(text) as { version: string }).version}`;
}
