/** `--stop-after` of a run: counts what its jobs came to. */

import { parseStopRule, type StopRule, stopReason } from '../../gate/index.ts';
import type { JobReport, Runtime } from '../../runtime/index.ts';
import { usageError } from '../errors.ts';

/** Says why the run is to stop, once that is so; null until then. */
export type FailureWatch = (
  report: Pick<JobReport, 'id' | 'outcome' | 'errorCode'>,
) => string | null;

/**
 * A rule as `--stop-after` takes it.
 * @throws CliError `usage`
 */
export function stopRuleOf(text: string): StopRule {
  const rule = parseStopRule(text);
  if (rule !== null) return rule;
  const forms = 'Forms: "failures > 5%", "failures > 12", 12, never';
  throw usageError(`--stop-after: ${JSON.stringify(text)} is no rule`, forms);
}

/** @param text without it nothing stops the run */
export function watchFailures(text: string | undefined): FailureWatch {
  const rule: StopRule = text === undefined ? { by: 'never' } : stopRuleOf(text);
  /** Of each job that was tried why it failed last; null for one that is done. */
  const causeOf = new Map<string, string | null>();
  const failures = new Map<string, number>();
  const count = (cause: string | null | undefined, by: 1 | -1): void => {
    if (cause === null || cause === undefined) return;
    const left = (failures.get(cause) ?? 0) + by;
    if (left === 0) failures.delete(cause);
    else failures.set(cause, left);
  };
  return ({ id, outcome, errorCode }) => {
    const isFailure = outcome === 'retry' || outcome === 'final';
    if (rule.by === 'never' || (outcome !== 'ack' && !isFailure)) return null;
    count(causeOf.get(id), -1);
    causeOf.set(id, isFailure ? errorCode : null);
    count(causeOf.get(id), 1);
    const failed = [...failures.values()].reduce((sum, one) => sum + one, 0);
    const [cause = null] = failures.size === 1 ? failures.keys() : [];
    return stopReason(rule, { tried: causeOf.size, failed, cause });
  };
}

/** Stops a run, once, when too many of its jobs have failed. */
export class FailureStop {
  /** Why it was stopped; null while it is not. */
  reason: string | null = null;
  readonly #watch: FailureWatch;
  #runtime: Pick<Runtime, 'drain'> | null = null;

  /** @throws CliError `usage` for a rule that cannot be read */
  constructor(rule: string | undefined) {
    this.#watch = watchFailures(rule);
  }

  onReport(report: Parameters<FailureWatch>[0]): void {
    this.reason ??= this.#watch(report);
    this.#stop();
  }

  /** What is to be stopped; jobs may have been reported before it was there. */
  serve(runtime: Pick<Runtime, 'drain'>): void {
    this.#runtime = runtime;
    this.#stop();
  }

  #stop(): void {
    if (this.reason !== null) void this.#runtime?.drain();
  }
}
