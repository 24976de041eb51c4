/** `aiq enqueue`: reads and checks all inputs, then enqueues them and prints the ids. */

import type { Agent } from '../../../agent/index.ts';
import { type JobIdentity, placeOf } from '../../../job-queue/index.ts';
import { refuseBrokenTools, warnOfShadowedAgents, withKnowledge } from '../../agent-files.ts';
import { usageError } from '../../errors.ts';
import type { ExitName } from '../../exit-codes.ts';
import type { SourceFlags } from '../../input/drafts.ts';
import { type JobFlags, jobTermsOf } from '../../input/job-flags.ts';
import { agentOf, type Invocation } from '../../input/schema-flags.ts';
import { readDuration } from '../../input/values.ts';
import { printQueued } from '../../queue-hints.ts';
import type { Session } from '../../session.ts';
import { enqueueInputs } from './enqueue-inputs.ts';
import { type BatchFlags, type OpenBatch, openBatchOf } from './open-batch.ts';
import type { JobSpec, Submission } from './submit.ts';

interface EnqueueFlags extends SourceFlags, JobFlags, BatchFlags {
  readonly set?: readonly string[];
  readonly data?: string;
  readonly jsonl?: string;
  readonly id?: string;
  readonly force?: boolean;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly yes?: boolean;
}

export async function enqueue(
  session: Session,
  invocation: Invocation,
  flags: EnqueueFlags,
): Promise<ExitName> {
  refuseContradictions(flags);
  if (isBulk(flags)) (await import('../small-memory.ts')).keepMemorySmall();
  const timeoutMs = flags.timeout === undefined ? null : readDuration('--timeout', flags.timeout);
  const { baseDir } = await session.config();
  const openBatch = await openBatchOf(flags);
  const terms = jobTermsOf(flags, Date.now());
  const spec = { identity: identityOf(flags), terms, madeIn: placeOf(baseDir) };
  await refuseBrokenTools(session, agentOf(invocation));
  warnOfShadowedAgents(session, [agentOf(invocation)]);
  const agent = await withKnowledge(session, agentOf(invocation));
  const submission = await submit(session, agent, invocation, { ...flags, spec, openBatch });
  const { accepted, refused, refusal, jobs } = submission;
  if (accepted === 0) return refusal ?? 'ok';
  const sent: ExitName = refused > 0 ? 'partial' : 'ok';
  if (flags.wait !== true) {
    await printQueued(session, agent, submission);
    return sent;
  }
  const { waitForResults } = await import('./wait-for-results.ts');
  const ended = await waitForResults(session, agentOf(invocation), jobs, timeoutMs);
  return ended === 'ok' ? sent : ended;
}

async function submit(
  session: Session,
  agent: Agent,
  invocation: Invocation,
  flags: EnqueueFlags & { readonly spec: JobSpec; readonly openBatch: OpenBatch },
): Promise<Submission> {
  const { jsonl } = flags;
  if (jsonl === undefined) return enqueueInputs(session, agent, invocation, flags);
  const { enqueueLines } = await import('./enqueue-lines.ts');
  return enqueueLines(session, agent, invocation, { ...flags, jsonl });
}

function refuseContradictions(flags: EnqueueFlags): void {
  if (flags.timeout !== undefined && flags.wait !== true) {
    throw usageError('--timeout requires --wait');
  }
  if (flags.id?.trim() === '') {
    throw usageError('--id is empty', 'Give a key, or omit --id.');
  }
  if (flags.force === true && flags.id !== undefined) {
    throw usageError('--force and --id cannot be used together', 'Use a new --id instead.');
  }
  if (flags.jsonl === undefined) return;
  const others = {
    '--id': flags.id,
    '--text': flags.text,
    '--input': flags.input?.[0] ?? flags.inputs[0],
  };
  for (const [name, value] of Object.entries(others)) {
    if (value !== undefined) throw usageError(`--jsonl and ${name} cannot be used together`);
  }
}

/** Whether many jobs are to be expected: of lines, of several inputs, of a pattern. */
function isBulk({ jsonl, input = [], inputs }: EnqueueFlags): boolean {
  const all = [...input, ...inputs];
  return jsonl !== undefined || all.length > 1 || all.some((one) => /[*?[{]/.test(one));
}

function identityOf(flags: EnqueueFlags): JobIdentity {
  if (flags.id !== undefined) return { key: flags.id };
  return flags.force === true ? { random: true } : 'content';
}
