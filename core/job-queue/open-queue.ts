/** Opens the engine that an address names. */

import { dirname } from 'node:path';
import {
  type Endpoint,
  type ResolveOptions,
  readTokenFile,
  type SessionOptions,
} from '../client/index.ts';
import { ensureBroker, spawnBroker, untilStarted } from '../host/index.ts';
import { AiqError } from '../protocol/index.ts';
import { type BrokerAddress, parseBrokerAddress } from './address.ts';
import { openAiqQueue } from './aiq/aiq-queue.ts';
import type { JobQueue } from './port.ts';
import { followingSuperseded } from './superseded.ts';

export interface OpenQueueOptions {
  /** `file:<absolute folder>`, `unix:<absolute path>` or `tcp://host:port`. */
  readonly broker: string;
  /** File that holds the token for `tcp://`; null when there is none. */
  readonly tokenFile: string | null;
  /** Name shown to operators of the broker. */
  readonly clientName: string;
  /** How long a request waits for a connection, and then for its answer. Default 10 s. */
  readonly connectDeadlineMs?: number;
  /** Start the folder's broker when none answers; only for `file:`. Default true. */
  readonly startBroker?: boolean;
  /** Gets what a person should know: lost and regained connections, jobs handed back. */
  readonly onNotice?: (text: string) => void;
}

/** Behind a folder's socket there is only its user; over TCP there may be machines and containers. */
const sharedBy = { file: 'user', unix: 'machine', tcp: 'network' } as const;

/**
 * Connects, starting the folder's broker when need be.
 * @throws AiqError `UNREACHABLE` with the reason when no broker answers in time, `UNAUTHORIZED`,
 *   `UNTRUSTED`, `VERSION`, or `BAD_REQUEST` for what is no address
 */
export async function openQueue(options: OpenQueueOptions): Promise<JobQueue> {
  const address = parseBrokerAddress(options.broker);
  const session: SessionOptions = {
    resolve: (resolving) => endpointOf(address, options, resolving),
    clientName: options.clientName,
    requestDeadlineMs: options.connectDeadlineMs,
    onNotice: options.onNotice,
  };
  const queue = { address: options.broker, sharedBy: sharedBy[address.kind] };
  return followingSuperseded(await openAiqQueue(queue, session));
}

async function endpointOf(
  address: BrokerAddress,
  options: OpenQueueOptions,
  { withinMs, onWait, signal }: ResolveOptions,
): Promise<Endpoint> {
  switch (address.kind) {
    case 'file': {
      const spawn = options.startBroker === false ? null : spawnBroker;
      return ensureBroker({ dir: address.dir, spawn, deadlineMs: withinMs, onWait, signal });
    }
    case 'unix':
      await untilStarted(dirname(address.path), onWait, signal);
      return { unix: address.path };
    case 'tcp':
      return { ...address, token: await readToken(options.tokenFile) };
  }
}

/** @throws AiqError `UNAUTHORIZED` when there is none that may be used */
function readToken(file: string | null): Promise<Uint8Array> {
  if (file !== null) return readTokenFile(file);
  const message =
    'a broker over TCP asks for a token, and no token file is named; a broker keeps its token in its folder';
  return Promise.reject(new AiqError('UNAUTHORIZED', message));
}
