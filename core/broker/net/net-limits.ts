/**
 * Every limit of the network side that is the broker's own choice, with its default and reason.
 * Limits that a client must know are in `core/protocol`. Relations are asserted at load.
 */

import { frameHeaderBytes, limits } from '../../protocol/index.ts';

const mebibyte = 1024 * 1024;

export const netLimitDefaults = {
  /** Connections of the pool at a time. A consumer needs one; far below 4,096 open files. */
  connectionsMax: 1024,
  /** Of those, unauthenticated ones (no accepted Hello), so that they cannot take all connections. */
  handshakesMax: 256,
  /** Above these limits, for each transport: connections that are open only to get an Error frame. */
  refusalsMax: 32,
  /**
   * Requests of one connection in flight, before no more are read from it: responses wait for the
   * disk, and requests take memory meanwhile. A `Wait` counts until it is registered.
   */
  inFlightMax: 1024,
  /**
   * Received bytes without response, of all peers: partial frames, whole frames, and requests that
   * wait for their turn or the disk. One peer may hold a quarter of what is free, so that some stays
   * free for the next.
   */
  receiveBytesMax: 64 * mebibyte,
  /** Bytes of it that each peer may hold however little is free. */
  receiveBytesMin: 64 * 1024,
  /**
   * Unsent bytes of one connection above which no more is read from it. More than a consumer is sent
   * at once: on a slow line it must still be able to renew its leases.
   */
  unsentBytesMax: 8 * mebibyte,
  /** A batch of events is passed on at this size even within a tick, so that work begins early. */
  batchBytesMax: mebibyte / 8,
  /** Window between the threads, either way: some milliseconds of the main thread's time. */
  sendWindowBytes: mebibyte / 2,
  /** Time for preamble and Hello to arrive. */
  handshakeMs: limits.handshakeMs,
  /** Time that a partial frame may take besides that for its bytes. */
  frameMs: limits.frameMs,
  /** A peer that sends a frame more slowly may be cut off: half of what is promised, as lines vary. */
  frameBytesPerSecond: limits.lineBytesPerSecond / 2,
  /**
   * Time in which a peer must read some of what waits for it. A full socket becomes writable only
   * when much of it is free, which a slow peer takes this long to read: some 160 KiB of a Unix
   * socket, over 1 MiB of a TCP one.
   */
  unixStallMs: 40_000,
  tcpStallMs: 240_000,
  /** Time that a peer has to read the last message and to close, after the half-close. */
  lingerMs: 1_000,
  /** Time that `stop` gives all peers to read what was sent to them. */
  stopMs: 5_000,
  /** TCP keepalive: detects a peer whose machine is down. */
  keepAliveMs: 15_000,
  /** A thread that died starts again, unless more died within `restartWindowMs`. */
  restartsMax: 5,
  restartWindowMs: 60_000,
  /** Before the first of these restarts; doubled for each next one. */
  restartDelayMs: 20,
} as const;

/** The values that one pool runs with. */
export type NetLimits = { readonly [Name in keyof typeof netLimitDefaults]: number };

/** Bytes that all unauthenticated peers together can make the broker hold. */
const unauthenticatedBytesMax = 8 * mebibyte;

function assertRelation(holds: boolean, relation: string): void {
  if (!holds) throw new Error(`network limits contradict each other: ${relation}`);
}

const { connectionsMax, handshakesMax, receiveBytesMax, receiveBytesMin }: NetLimits =
  netLimitDefaults;
assertRelation(
  handshakesMax < connectionsMax,
  'unauthenticated connections must leave room for clients',
);
assertRelation(
  handshakesMax * (limits.frameBytesMaxBeforeHello + frameHeaderBytes) <= unauthenticatedBytesMax,
  'frames of unauthenticated peers must stay below their cap',
);
assertRelation(
  receiveBytesMax >= connectionsMax * receiveBytesMin,
  'what each peer may always hold must fit what all may hold',
);
assertRelation(receiveBytesMax / 8 > limits.frameBytesMax, 'a peer must be able to hold a frame');
