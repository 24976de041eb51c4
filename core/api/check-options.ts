/** Checks the options of callers without types; one of the wrong type is an error with its name. */

import { inspect } from 'node:util';
import { jobStates } from '../job-queue/index.ts';
import type { EnqueueOptions, JobsFilter, RunOptions, SearchOptions } from './contract.ts';

/** @throws TypeError */
export function checkEnqueueOptions({ id, source }: EnqueueOptions): void {
  checkText('id', id);
  checkText('source', source);
}

/** @throws TypeError */
export function checkJobsFilter({ queue, state }: JobsFilter): void {
  checkText('queue', queue);
  if (state !== undefined) checkState('state', state);
}

/** @throws TypeError */
export function checkSearchOptions(options: SearchOptions): void {
  const { states, minCost } = options;
  for (const name of ['queue', 'agent', 'tag', 'text', 'code'] as const) {
    checkText(name, options[name]);
  }
  checkList('states', states);
  for (const state of states ?? []) checkState('states', state);
  if (minCost !== undefined && !(minCost >= 0)) throw mustBe('minCost', 'an amount', minCost);
}

function checkState(option: string, state: unknown): void {
  if (Object.hasOwn(jobStates, String(state))) return;
  throw mustBe(option, `one of ${Object.keys(jobStates).join(', ')}`, state);
}

/** @throws TypeError */
export function checkRunOptions({ agents, model }: RunOptions): void {
  checkText('model', model);
  checkList('agents', agents);
}

/** @throws TypeError when it is there and no list of texts */
export function checkList(option: string, list: unknown): void {
  const isList = Array.isArray(list) && list.every((name) => typeof name === 'string');
  if (list !== undefined && !isList) throw mustBe(option, 'a list of names', list);
}

/** @throws TypeError when it is there and no text */
export function checkText(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'string') throw mustBe(option, 'a text', value);
}

/** The error for an option of the wrong kind. */
export function mustBe(option: string, kind: string, value: unknown): TypeError {
  return new TypeError(`${option} must be ${kind}, not ${inspect(value, { depth: 0 })}`);
}
