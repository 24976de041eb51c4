/** Options of callers without types: what is of the wrong kind is told by its name, not used. */

import { inspect } from 'node:util';
import { jobStates } from '../queue/index.ts';
import type { EnqueueOptions, JobsFilter, RunOptions } from './contract.ts';

/** @throws TypeError */
export function checkEnqueueOptions({ id, source }: EnqueueOptions): void {
  checkText('id', id);
  checkText('source', source);
}

/** @throws TypeError */
export function checkJobsFilter({ queue, state }: JobsFilter): void {
  checkText('queue', queue);
  if (state === undefined || Object.hasOwn(jobStates, state)) return;
  throw mustBe('state', `one of ${Object.keys(jobStates).join(', ')}`, state);
}

/** @throws TypeError */
export function checkRunOptions({ agents, model }: RunOptions): void {
  checkText('model', model);
  const isList = Array.isArray(agents) && agents.every((name) => typeof name === 'string');
  if (agents !== undefined && !isList) throw mustBe('agents', 'a list of names', agents);
}

function checkText(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'string') throw mustBe(option, 'a text', value);
}

function mustBe(option: string, kind: string, value: unknown): TypeError {
  return new TypeError(`${option} must be ${kind}, not ${inspect(value, { depth: 0 })}`);
}
