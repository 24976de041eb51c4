/** `aiq enqueue`: reads and checks all inputs, then enqueues them and prints the ids. */

import { type Agent, compileAgent } from '../../../agent/index.ts';
import { type JobIdentity, placeOf } from '../../../job-queue/index.ts';
import { refuseBrokenTools, warnOfShadowedAgents, withKnowledge } from '../../agent-files.ts';
import { usageError } from '../../errors.ts';
import type { ExitName } from '../../exit-codes.ts';
import { checkDrafts, draftCheck } from '../../input/check.ts';
import { confirmMany } from '../../input/confirm.ts';
import { makeDrafts, type SourceFlags } from '../../input/drafts.ts';
import { readFlagInput } from '../../input/flag-input.ts';
import { type JobFlags, jobTermsOf } from '../../input/job-flags.ts';
import { agentOf, type Invocation } from '../../input/schema-flags.ts';
import { readDuration } from '../../input/values.ts';
import { printQueued } from '../../queue-hints.ts';
import type { Session } from '../../session.ts';
import { enqueueLines } from './enqueue-lines.ts';
import { presentModelOf, realProviderOf } from './real-provider.ts';
import { type JobSpec, makeJob, type Submission, submit } from './submit.ts';

interface EnqueueFlags extends SourceFlags, JobFlags {
  readonly set?: readonly string[];
  readonly data?: string;
  readonly jsonl?: string;
  readonly id?: string;
  readonly force?: boolean;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly yes?: boolean;
}

/** The flags, and the job's identity and terms that were read from them. */
type ParsedFlags = EnqueueFlags & { readonly spec: JobSpec };

export async function enqueue(
  session: Session,
  invocation: Invocation,
  flags: EnqueueFlags,
): Promise<ExitName> {
  refuseContradictions(flags);
  const timeoutMs = flags.timeout === undefined ? null : readDuration('--timeout', flags.timeout);
  const { baseDir } = await session.config();
  const terms = jobTermsOf(flags, Date.now());
  const spec = { identity: identityOf(flags), terms, madeIn: placeOf(baseDir) };
  await refuseBrokenTools(session, agentOf(invocation));
  warnOfShadowedAgents(session, [agentOf(invocation)]);
  const agent = await withKnowledge(session, agentOf(invocation));
  const { accepted, refused, refusal } =
    flags.jsonl === undefined
      ? await enqueueDrafts(session, agent, invocation, { ...flags, spec })
      : await enqueueLines(session, agent, invocation, { ...flags, spec, jsonl: flags.jsonl });
  if (accepted.length === 0) return refusal ?? 'ok';
  const sent: ExitName = refused > 0 ? 'partial' : 'ok';
  if (flags.wait !== true) {
    await printQueued(session, agent, accepted);
    return sent;
  }
  const { waitForResults } = await import('./wait-for-results.ts');
  const ended = await waitForResults(session, agentOf(invocation), accepted, timeoutMs);
  return ended === 'ok' ? sent : ended;
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

async function enqueueDrafts(
  session: Session,
  agent: Agent,
  invocation: Invocation,
  flags: ParsedFlags,
): Promise<Submission> {
  const { spec } = flags;
  const compiled = await compileAgent(agent);
  const config = await session.config();
  const bytesMax = config.limits.inputBytesMax;
  const fromFlags = await readFlagInput(agent, invocation.flags, flags, bytesMax);
  const drafts = await makeDrafts(agent, fromFlags.input, flags, {
    bytesMax,
    confirm: (files) => confirmMany(files, flags.yes ?? false),
    note: (line) => session.terminal.note(line),
  });
  if (flags.id !== undefined && drafts.length > 1) {
    throw usageError(`--id names one job, but there are ${drafts.length} inputs`);
  }
  const checked = checkDrafts(agent, drafts, draftCheck(compiled), fromFlags.problems);
  const jobs = checked.map((draft) => makeJob(draft, agent, spec));
  return submit(await session.queue(), jobs, {
    terminal: session.terminal,
    printIds: flags.wait !== true,
    origins: new Map(),
    provider: realProviderOf(session, agent),
    presentModel: presentModelOf(session, agent),
    onRefused: (error) => {
      // One of several is a warning: the others may have been accepted.
      if (jobs.length === 1) throw error;
      session.terminal.warn(error.message);
    },
  });
}

function identityOf(flags: EnqueueFlags): JobIdentity {
  if (flags.id !== undefined) return { key: flags.id };
  return flags.force === true ? { random: true } : 'content';
}
