/**
 * Which jobs failed again and again while others of the same model succeeded. Such a job is the
 * suspect: what it meets is taken for its own fault.
 */

/** Failures of one job since its last answer, each with an answer to another job before it. */
interface Failures {
  readonly count: number;
  /** Answers to other jobs, as counted when it failed last. */
  readonly answers: number;
}

export interface JobOutcomes {
  /** Answers so far. */
  readonly answers: number;
  /** By job, the one that failed longest ago first. */
  readonly failures: ReadonlyMap<string, Failures>;
}

export const noAnswers: JobOutcomes = { answers: 0, failures: new Map() };

/** Holds that a job may begin while others succeed before it is the suspect. */
const holdsMax = 3;
/** Failures of more jobs than this are no single job's fault; the oldest are forgotten. */
const jobsMax = 1_000;

export function noteAnswer({ answers, failures }: JobOutcomes, job: string): JobOutcomes {
  if (!failures.has(job)) return { answers: answers + 1, failures };
  const others = new Map(failures);
  others.delete(job);
  return { answers: answers + 1, failures: others };
}

export function isSuspect({ failures }: JobOutcomes, job: string): boolean {
  return (failures.get(job)?.count ?? 0) >= holdsMax;
}

/**
 * Counts the failure, unless no other job had an answer since the job's last one: then it shows
 * nothing new. Once the job is the suspect, what it meets is its own, also when it runs alone.
 */
export function noteFailure(
  { answers, failures }: JobOutcomes,
  job: string,
): { readonly jobs: JobOutcomes; readonly isOwn: boolean } {
  const before = failures.get(job);
  const othersSucceeded = before !== undefined && answers > before.answers;
  const count = before === undefined ? 1 : before.count + Number(othersSucceeded);
  const next = new Map(failures);
  next.delete(job);
  next.set(job, { count, answers });
  const [oldest] = next.keys();
  if (next.size > jobsMax && oldest !== undefined) next.delete(oldest);
  return { jobs: { answers, failures: next }, isOwn: count >= holdsMax };
}
