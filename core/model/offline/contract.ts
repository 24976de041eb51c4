/** What the offline endpoint shows to others, light to load: its options, its address, its label. */

import type { Provider } from '../model.ts';
import type { CallCounts, Counters } from './counters.ts';

/** Says what an answer is, for places that have their own marks for a comment. */
export const offlineNotice = 'made by aiq-offline: extracted, not written by a model';

/** Ends every text answer, so that no extract passes for a model's words. */
export const offlineLabel = `<!-- ${offlineNotice} -->`;

/** Something that happened to a call: it came in, or it ended. */
export interface OfflineCall {
  readonly phase: 'started' | 'finished';
  readonly model: string;
  /** Hex, over the latest user message: tells which job it was without keeping its text. */
  readonly userSha256: string;
  /** HTTP status; null while the call runs, 0 when the connection was lost before one was sent. */
  readonly status: number | null;
  /** True once the answer went out whole. */
  readonly ok: boolean;
}

export interface OfflineOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default: random. */
  readonly apiKey?: string;
  readonly onCall?: (call: OfflineCall) => void;
  /** Where to count; default: memory of its own. */
  readonly counters?: Counters;
}

export interface OfflineEndpoint {
  readonly baseURL: string;
  readonly apiKey: string;
  readonly provider: Provider;
  counts(): CallCounts;
  /** Ends running calls and frees the port. */
  close(): Promise<void>;
}

/** The parts of an endpoint that can be told to another thread or process. */
export function offlineAddress(
  baseURL: string,
  apiKey: string,
): Pick<OfflineEndpoint, 'baseURL' | 'apiKey' | 'provider'> {
  const provider: Provider = {
    name: 'offline',
    kind: 'offline',
    baseURL,
    apiKey,
    defaultModel: 'aiq-offline',
  };
  return { baseURL, apiKey, provider };
}
