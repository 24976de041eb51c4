/** `endpoints.json` in a broker's folder: written by the broker that serves it, read by its clients. */

export interface Endpoints {
  readonly brokerId: string;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly software: string;
  /** Device and inode of the folder: a copy of the folder holds a file that names another one. */
  readonly folder: string;
  /** Absolute path of the Unix socket. */
  readonly unix: string | null;
  readonly tcp: { readonly host: string; readonly port: number } | null;
}
