/** `aiq enqueue --jsonl`: sends good lines in batches as they are read, and reports bad ones. */

import { createReadStream } from 'node:fs';
import { type Agent, compileAgent, isSecretPlace, type JsonObject } from '../../../agent/index.ts';
import { CliError } from '../../errors.ts';
import { type DraftCheck, draftCheck, inputDoesNotFit } from '../../input/check.ts';
import { readFlagInput } from '../../input/flag-input.ts';
import { type JsonLine, readJsonLines } from '../../input/json-lines.ts';
import type { Invocation } from '../../input/schema-flags.ts';
import { stdinName, takeStdin } from '../../input/stdin.ts';
import { openError } from '../../input/text-file.ts';
import { isJsonObject } from '../../input/values.ts';
import type { Session } from '../../session.ts';
import type { OpenBatch } from './open-batch.ts';
import { senderOptions } from './real-provider.ts';
import { type JobSpec, makeJob, type OutgoingJob, Sender, type Submission } from './submit.ts';

interface LineFlags {
  readonly jsonl: string;
  readonly set?: readonly string[];
  readonly data?: string;
  readonly wait?: boolean;
  readonly spec: JobSpec;
  readonly openBatch: OpenBatch;
}

/** What a line needs to become a job. */
interface LineMaker {
  readonly agent: Agent;
  /** Values of flags; they win over the line's own. */
  readonly base: JsonObject;
  readonly check: DraftCheck;
  readonly spec: JobSpec;
  readonly file: string;
}

export async function enqueueLines(
  session: Session,
  agent: Agent,
  invocation: Invocation,
  flags: LineFlags,
): Promise<Submission> {
  const compiled = await compileAgent(agent);
  const config = await session.config();
  const bytesMax = config.limits.inputBytesMax;
  const fromFlags = await readFlagInput(agent, invocation.flags, flags, bytesMax);
  if (fromFlags.problems.length > 0) throw inputDoesNotFit(agent, fromFlags.problems);
  const maker: LineMaker = {
    agent,
    base: fromFlags.input,
    check: draftCheck(compiled),
    spec: flags.spec,
    file: flags.jsonl === '-' ? stdinName : flags.jsonl,
  };
  const lines = readJsonLines(openLines(flags.jsonl), {
    agent: agent.name,
    lineBytesMax: bytesMax,
    isHidden: (path) => isSecretPlace(agent.input.schema, path),
    ...(takesInput(agent) && {
      fits: (input: JsonObject) => compiled.checkInput({ ...input, ...maker.base }).ok,
    }),
  });
  const sender = new Sender(
    senderOptions(session, agent, { wait: flags.wait === true, openBatch: flags.openBatch }),
  );
  return sendLines(sender, lines, maker);
}

/** Whether a bare line can have the shape of the long form: the agent has a property `input`. */
function takesInput({ input: { schema } }: Agent): boolean {
  const { properties } = schema;
  return isJsonObject(properties) && Object.hasOwn(properties, 'input');
}

async function sendLines(
  sender: Sender,
  lines: AsyncIterable<JsonLine>,
  maker: LineMaker,
): Promise<Submission> {
  for await (const line of lines) {
    const made = makeLine(line, maker);
    if (typeof made === 'string') sender.refuse(made, 'invalid');
    else await sender.add(made);
  }
  const submission = await sender.end();
  if (submission.accepted + submission.refused > 0) return submission;
  throw new CliError('invalid', `${maker.file} has no lines`);
}

/** The line's job, or its problem as text. */
function makeLine(line: JsonLine, maker: LineMaker): OutgoingJob | string {
  const origin = `${maker.file}:${line.line}`;
  if ('problem' in line) return `${origin} ${line.problem}`;
  const result = maker.check({ input: { ...line.input, ...maker.base }, source: '' });
  if (!result.ok) {
    const problems = result.problems.map(({ property, message }) =>
      `${property} ${message}`.trim(),
    );
    return `${origin} does not fit agent "${maker.agent.name}": ${problems.join('; ')}`;
  }
  const spec = line.id === null ? maker.spec : { ...maker.spec, identity: { key: line.id } };
  try {
    return makeJob({ input: result.input, source: '', origin }, maker.agent, spec);
  } catch (error) {
    if (error instanceof CliError) return error.message;
    throw error;
  }
}

async function* openLines(file: string): AsyncGenerator<Uint8Array> {
  if (file === '-') {
    yield* takeStdin();
    return;
  }
  try {
    yield* createReadStream(file) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw openError(file, error, null);
  }
}
