/** What a broker is told at its start, with defaults and the reason for each. */

import { readFileSync } from 'node:fs';
import { type CoreOptions, coreDefaults } from './queue/core.ts';

export interface BrokerOptions {
  /** The broker's folder: lock, log, socket, endpoints. Made with mode 0700 when missing. */
  readonly dir: string;
  /** Listen on `<dir>/broker.sock`. */
  readonly unix: boolean;
  /** Listen on loopback TCP, guarded by the token in `<dir>/token`; port 0 picks one. */
  readonly tcp: { readonly host: string; readonly port: number } | null;
  /** Stop after this long without connections and leases; null stays for ever. */
  readonly idleExitMs: number | null;
  /** How long a lease lasts without renewal. */
  readonly leaseMs?: number;
  /** Most bytes of one log segment. */
  readonly segmentBytesMax?: number;
  /** Told what an operator should know: recovery, torn tails, the reason of a stop. */
  readonly onNotice?: (text: string) => void;
}

/** A segment is replayed in about a second, and one file system call lists thousands. */
export const segmentBytesMaxDefault: number = 64 * 1024 * 1024;
const leaseMsMin = 200;

/** The core's share of the options. */
export function coreOptions(options: BrokerOptions, brokerId: string): CoreOptions {
  const leaseMs = options.leaseMs ?? coreDefaults.leaseMs;
  if (!Number.isSafeInteger(leaseMs) || leaseMs < leaseMsMin) {
    throw new RangeError(
      `leaseMs must be a whole number of at least ${leaseMsMin}, not ${leaseMs}`,
    );
  }
  return { ...coreDefaults, leaseMs, brokerId, software: software() };
}

/** Name and version of this package, from the nearest `package.json` above. */
export function software(): string {
  for (const up of ['../../', '../../../']) {
    try {
      const text = readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8');
      const { version } = JSON.parse(text) as { version?: unknown };
      return typeof version === 'string' ? `aiq/${version}` : 'aiq';
    } catch {
      // Compiled code lies one folder deeper: look there next.
    }
  }
  return 'aiq';
}
