/** Runs of the hostile thread, for tests of pools and of isolated runs: what it is given, and what it said. */

import type { JobRequest } from '../../../core/runtime/attempt/result.ts';
import type { PoolOptions } from '../../../core/runtime/pool/pool.ts';
import type { RunEnd } from '../../../core/runtime/pool/run.ts';

export const hostileEntry: URL = new URL('./hostile-thread.ts', import.meta.url);

export const hostileData: PoolOptions['data'] = {
  agents: [],
  idleMs: 0,
  answerBytesMax: 0,
  baseDir: '/',
  outputDir: '/',
  jobOutputDirs: true,
};

export function requestFor(deed: string, isRedelivery: boolean): JobRequest {
  return {
    id: 'job',
    agent: 'agent',
    body: new Uint8Array(),
    source: deed,
    createdAtMs: 0,
    attempt: 1,
    isRedelivery,
  };
}

export function told(end: RunEnd): RunEnd | string {
  return end.type === 'finished' && end.result.ok ? end.result.model : end;
}
