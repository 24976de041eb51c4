/** Broker addresses as configuration and command line give them. */

import path from 'node:path';
import { brokerFolder } from '../base/index.ts';
import { isLoopback } from '../client/index.ts';
import { AiqError } from '../protocol/index.ts';

export type BrokerAddress =
  | { readonly kind: 'file'; readonly dir: string }
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

const forms = 'file:<absolute folder>, unix:<absolute path> or tcp://host:port';

/**
 * Reads an address.
 * @throws AiqError `BAD_REQUEST` for what is none; `UNSUPPORTED` for TCP beyond this machine
 */
export function parseBrokerAddress(address: string): BrokerAddress {
  const dir = brokerFolder(address);
  if (dir !== null) return { kind: 'file', dir: absolute(address, dir) };
  if (address.startsWith('unix:')) {
    return { kind: 'unix', path: absolute(address, address.slice('unix:'.length)) };
  }
  if (address.startsWith('tcp://')) return parseTcp(address);
  throw bad(address, `use ${forms}`);
}

function absolute(address: string, text: string): string {
  if (!path.isAbsolute(text)) throw bad(address, `the path must be absolute; use ${forms}`);
  return path.normalize(text);
}

function parseTcp(address: string): BrokerAddress {
  const match = /^tcp:\/\/(?:\[([0-9a-fA-F:.]+)\]|([^/:[\]@]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port < 1 || port > 65_535) throw bad(address, `use ${forms}`);
  if (!isLoopback(host)) {
    throw new AiqError(
      'UNSUPPORTED',
      `the broker address ${address} is beyond this machine, and there everything would travel in ` +
        'clear text; use a loopback address (127.0.0.1, ::1, localhost)',
    );
  }
  return { kind: 'tcp', host, port };
}

function bad(address: string, fix: string): AiqError {
  return new AiqError('BAD_REQUEST', `not a broker address: ${JSON.stringify(address)}; ${fix}`);
}
