/** What the comparison knows of a system: adding one is adding a file in `bench/peers/` that exports it. */

import type { ServerProcess } from './server-process.ts';

/** A user's job: an object whose JSON has exactly as many bytes as asked for, and never twice the same. */
export interface JobData {
  readonly name: string;
  /** When it was handed over, microseconds of the system's monotonic clock; 0 where nobody asks. */
  readonly atMicros: number;
  readonly text: string;
}

export interface Peer {
  readonly name: string;
  /** As a reader knows it. */
  readonly title: string;
  /** An answer means that the job is on the disk. */
  readonly isDurable: boolean;
  /** Of the npm client: name and version. */
  readonly packages: Readonly<Record<string, string>>;
  /** Debian package of the server; null when it is part of this clone. */
  readonly debianPackage: string | null;
  /** Version of the server on this machine; null when there is none. */
  version(): string | null;
  /** Every setting that matters, of server and client, a line each. */
  readonly settings: readonly string[];
  /** Starts the server on a folder, fresh or its own of before; resolves when it accepts connections. */
  start(options: StartOptions): Promise<Server>;
  /** One connection, used as the client's documentation recommends. */
  connect(address: unknown, options: ConnectOptions): Promise<Client>;
}

export interface StartOptions {
  /** Made when missing. */
  readonly dir: string;
  /** Command to put before the server's own, such as strace. */
  readonly prefix?: readonly string[];
}

export interface Server {
  /** For `connect`; crosses to another process as JSON. */
  readonly address: unknown;
  readonly process: ServerProcess;
}

export interface ConnectOptions {
  /** A module of the client's packages. */
  readonly load: (name: string) => unknown;
  /** Many are opened: a client that keeps a pool takes one socket alone. */
  readonly isOneOfMany: boolean;
}

export interface Client {
  /** Makes the queue, or chooses it, where the system asks for that; again on each connection. */
  prepare(queue: string): Promise<void>;
  /** One call; resolves when all jobs are acknowledged. */
  enqueue(queue: string, jobs: readonly JobData[]): Promise<void>;
  /** Takes and acknowledges jobs, so many at once, until it is closed. */
  consume(queue: string, atOnce: number, onJob: (job: JobData) => void): Promise<void>;
  /** Jobs that wait in the queue. */
  waiting(queue: string): Promise<number>;
  close(): Promise<void>;
}
