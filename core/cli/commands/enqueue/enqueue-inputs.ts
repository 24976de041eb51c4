/**
 * `aiq enqueue` of files, or of one input: everything is checked before anything is queued, however much
 * it is. What was checked and is too much to be kept is read again, and is sent only if it is the same.
 */

import { type Agent, compileAgent } from '../../../agent/index.ts';
import { CliError, usageError } from '../../errors.ts';
import { checkInputs, type DraftCheck, draftCheck } from '../../input/check.ts';
import { confirmMany } from '../../input/confirm.ts';
import {
  type Draft,
  findInputs,
  type Inputs,
  inputsAtOnce,
  type SourceFlags,
} from '../../input/drafts.ts';
import { readFlagInput } from '../../input/flag-input.ts';
import type { Invocation } from '../../input/schema-flags.ts';
import type { Session } from '../../session.ts';
import type { OpenBatch } from './open-batch.ts';
import { senderOptions } from './real-provider.ts';
import { type JobSpec, makeJob, type OutgoingJob, Sender, type Submission } from './submit.ts';

interface InputFlags extends SourceFlags {
  readonly set?: readonly string[];
  readonly data?: string;
  readonly id?: string;
  readonly wait?: boolean;
  readonly yes?: boolean;
  readonly spec: JobSpec;
  readonly openBatch: OpenBatch;
}

export async function enqueueInputs(
  session: Session,
  agent: Agent,
  invocation: Invocation,
  flags: InputFlags,
): Promise<Submission> {
  const check = draftCheck(await compileAgent(agent));
  const config = await session.config();
  const bytesMax = config.limits.inputBytesMax;
  const fromFlags = await readFlagInput(agent, invocation.flags, flags, bytesMax);
  const inputs = await findInputs(agent, fromFlags.input, flags, {
    bytesMax,
    confirm: (files) => confirmMany(files, flags.yes ?? false),
    note: (line) => session.terminal.note(line),
  });
  if (flags.id !== undefined && inputs.count > 1) {
    throw usageError(`--id names one job, but there are ${inputs.count} inputs`);
  }
  const make = (draft: Draft): OutgoingJob => makeJob(draft, agent, flags.spec);
  const checked = new CheckedJobs(inputs.count);
  await checkInputs(agent, inputs, {
    check,
    flagProblems: fromFlags.problems,
    take: (draft, index) => checked.add(index, make(draft)),
  });
  const wait = flags.wait === true;
  const sender = new Sender(
    senderOptions(session, agent, { wait, openBatch: flags.openBatch, single: inputs.count === 1 }),
  );
  for (const job of checked.kept) await sender.add(job);
  await sendAgain({ inputs, check, make, checked, sender });
  return sender.end();
}

const digestBytes = 16;
const keptBytesMax = 8 * 1024 * 1024;
/** A job takes a kilobyte besides its body: of small ones this is the bound. */
const keptJobsMax = 1_000;

/** Jobs that were checked: the first of them whole, of the others what identifies their content. */
class CheckedJobs {
  readonly kept: OutgoingJob[] = [];
  readonly #digests: Uint8Array;
  #keptBytes = 0;

  constructor(count: number) {
    this.#digests = new Uint8Array(count * digestBytes);
  }

  add(index: number, outgoing: OutgoingJob): void {
    const { body, digest } = outgoing.job;
    const fits = index < keptJobsMax && this.#keptBytes + body.length <= keptBytesMax;
    if (fits && index === this.kept.length) {
      this.kept.push(outgoing);
      this.#keptBytes += body.length;
    }
    this.#digests.set(digest, index * digestBytes);
  }

  isSame(index: number, { job }: OutgoingJob): boolean {
    const digest = this.#digests.subarray(index * digestBytes, (index + 1) * digestBytes);
    return Buffer.compare(digest, job.digest) === 0;
  }
}

interface Again {
  readonly inputs: Inputs;
  readonly check: DraftCheck;
  readonly make: (draft: Draft) => OutgoingJob;
  readonly checked: CheckedJobs;
  readonly sender: Sender;
}

/** Sends the inputs that were not kept. One that is another by now is left out with a warning. */
async function sendAgain({ inputs, check, make, checked, sender }: Again): Promise<void> {
  for (let from = checked.kept.length; from < inputs.count; from += inputsAtOnce) {
    const drafts = await inputs.read(from, from + inputsAtOnce);
    for (const [at, draft] of drafts.entries()) {
      if (draft instanceof CliError) {
        sender.refuse(draft.message, draft.exit);
        continue;
      }
      const result = check(draft);
      const job = result.ok ? make({ ...draft, input: result.input }) : null;
      if (job !== null && checked.isSame(from + at, job)) await sender.add(job);
      else sender.refuse(`${draft.origin} was changed while it was checked: not queued`, 'invalid');
    }
  }
}
