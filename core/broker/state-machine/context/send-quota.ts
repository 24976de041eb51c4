/**
 * Flow control of what is sent: the bytes on their way to each connection, from the decision to send
 * until the peer took them, within one budget for all. Nothing more is made for a peer that does not
 * read, and such peers never use up what the others need.
 */

import { limits } from '../../../protocol/index.ts';
import type { ConnectionId, Left } from '../../events.ts';

const mebibyte = 1024 * 1024;

/** Bytes for all peers together above which only those with little on its way get more. */
export const unsentBytesMax: number = 64 * mebibyte;
/** What a peer may have on its way, however much others have, before it gets no more. */
const shareBytesMin = 64 * 1024;
/** What a peer that reads well may have on its way, before it gets no more of what is large. */
const shareBytesMax = mebibyte;
/**
 * The same for answers that are small. More than deliveries may take up: a consumer on a slow link
 * must be able to renew its leases while it reads.
 */
const smallAnswersBytesMax: number = 2 * mebibyte + limits.jobBytesMax;
/** A peer that lets a slice of 32 KiB wait this long is on a slow link. */
const slowMs = 1_000;

interface Account {
  bytes: number;
  /** How long the peer lets a slice wait, as last reported. */
  slowestMs: number;
}

export class SendQuota {
  readonly #accounts: Map<ConnectionId, Account> = new Map();
  #bytes = 0;

  /** Bytes that are on their way to all peers. */
  get bytes(): number {
    return this.#bytes;
  }

  open(connection: ConnectionId): void {
    this.#accounts.set(connection, { bytes: 0, slowestMs: 0 });
  }

  /** Removes a connection that closed, and what was on its way to it. */
  forget(connection: ConnectionId): void {
    this.#bytes -= this.of(connection);
    this.#accounts.delete(connection);
  }

  /** Something was made, or will be, that takes about so many bytes. */
  add(connection: ConnectionId, bytes: number): void {
    const account = this.#accounts.get(connection);
    if (account === undefined) return;
    account.bytes += bytes;
    this.#bytes += bytes;
  }

  /** So many bytes are no longer on their way. */
  remove(connection: ConnectionId, bytes: number): void {
    this.add(connection, -bytes);
  }

  /** The peer took what was counted for it. */
  left({ connection, bytes, slowestMs }: Left): void {
    this.remove(connection, bytes);
    const account = this.#accounts.get(connection);
    if (account !== undefined) account.slowestMs = slowestMs;
  }

  of(connection: ConnectionId): number {
    return this.#accounts.get(connection)?.bytes ?? 0;
  }

  /** True when jobs may be delivered to the peer: to a slow one few at a time, so that answers get through. */
  takesJobs(connection: ConnectionId): boolean {
    const isSlow = (this.#accounts.get(connection)?.slowestMs ?? 0) > slowMs;
    return this.of(connection) < (isSlow ? shareBytesMin : this.#shareBytes);
  }

  /** True when a request may be carried out whose answer is small. */
  takesSmall(connection: ConnectionId): boolean {
    return this.of(connection) < smallAnswersBytesMax;
  }

  /** True when an answer may be made that can be large. */
  takesLarge(connection: ConnectionId): boolean {
    const bytes = this.of(connection);
    // Peers that do not read must not keep all other peers from asking.
    const allMax = bytes === 0 ? 2 * unsentBytesMax : unsentBytesMax;
    return bytes < this.#shareBytes && this.#bytes < allMax;
  }

  /** A part of what is free leaves a part of it free, however many take theirs. */
  get #shareBytes(): number {
    const share = (unsentBytesMax - this.#bytes) / 8;
    return Math.min(shareBytesMax, Math.max(shareBytesMin, share));
  }
}
