/**
 * One attempt at one job, from its body to the files of its result. It checks everything that can be
 * known before the model is paid, and never calls it for a result that exists. Nothing is written here:
 * the settle makes the result real.
 */

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Agent,
  hideSecrets,
  type JobContext,
  type JsonObject,
  withoutTexts,
} from '../../agent/index.ts';
import { startTimer } from '../../base/index.ts';
import { type JobBody, readJobBody, shortId } from '../../job-queue/index.ts';
import { offlineNotice } from '../../offline-model/index.ts';
import { checkPaths } from '../../output/index.ts';
import { leftOutText } from '../../tools/index.ts';
import type { Attempt, AttemptContext, JobTools, ReadyAgent } from './attempt.ts';
import { type Answered, callModel } from './call-model.ts';
import { AttemptError, failureOf } from './failure.ts';
import { AttemptMoney } from './money.ts';
import type { FoundBefore } from './outputs.ts';
import { PaidOnce } from './paid-once.ts';
import { SentCalls } from './prompts.ts';
import type { JobFailure, JobRequest, JobResult, JobSuccess } from './result.ts';
import { createUsageMeter, type UsageMeter } from './usage.ts';

const invalidateMs = 2_000;

/** Never throws: every end is a result. */
export async function runJob(
  tools: JobTools,
  request: JobRequest,
  stop: AbortSignal,
): Promise<JobResult> {
  const meter = createUsageMeter();
  const deadline = new AbortController();
  const signal = AbortSignal.any([stop, deadline.signal]);
  const { journal } = tools;
  const paid = new PaidOnce({ journal, isRedelivery: request.isRedelivery, signal });
  const secrets = new Set<string>();
  const sent = new SentCalls(request, secrets);
  const money = new AttemptMoney(tools.money, signal);
  const startedAtMs = Date.now();
  const course = { tools, request, meter, paid, money, sent, signal, secrets, startedAtMs };
  try {
    const body = readJobBody(request);
    const dir = tools.outputDir(body.outputDir);
    const found = await tools.outputs.find(dir, request.id, body.after ?? null);
    if (found.result !== null) return recovered(dir, found.result, meter);
    if (request.isRedelivery) sent.follow(await tools.outputs.prompts(request.id));
    const replaces = found.isAfterExtract ? (body.after ?? null) : null;
    return await runWithDeadline({ ...course, dir, replaces }, body, deadline);
  } catch (error) {
    const found = failureOf(error, signal);
    const failure = { ...found, message: withoutTexts(found.message, secrets) };
    if (isPermanent(failure)) await inTime(paid.invalidate());
    return { ok: false, failure, prompts: sent.text(), usage: meter.total };
  }
}

/** Whatever became of the work by then; an outcome must not wait for a broker that is away. */
async function inTime(work: Promise<void>): Promise<void> {
  await Promise.race([work, sleep(invalidateMs, undefined, { ref: false })]);
}

/** A name that is taken can be freed: the answers are good then. */
function isPermanent({ class: kind, code }: JobFailure): boolean {
  return kind === 'permanent' && code !== 'exists';
}

async function runWithDeadline(
  course: AttemptContext & Pick<Attempt, 'dir' | 'replaces'>,
  body: JobBody,
  deadline: AbortController,
): Promise<JobResult> {
  const { tools, request } = course;
  const ready = await tools.agent(request.agent);
  if (ready === null) throw unknownAgent(request.agent);
  if (ready.agent.digest !== (request.definition ?? ready.agent.digest)) throw changedMeanwhile();
  for (const text of hideSecrets(ready.agent.input.schema, body.input).secrets)
    course.secrets.add(text);
  const { timeoutMs } = ready.agent.limits;
  const timer = startTimer(timeoutMs, () => {
    deadline.abort(
      course.money.isDelayed(timeoutMs) ? waitedForRoom(timeoutMs) : timedOut(timeoutMs),
    );
  });
  try {
    const input = tools.blocking(() => checkedInput(ready, body.input));
    const context = contextOf(request, ready.agent);
    if (request.isSuperseded === true) return superseded(input, course.meter);
    const extractNotice = ready.provider.kind === 'offline' ? offlineNotice : null;
    return await runAttempt({ ...course, ready, input, context, extractNotice });
  } finally {
    timer.clear();
  }
}

async function runAttempt(state: Attempt): Promise<JobSuccess> {
  const { tools, ready, meter, signal } = state;
  const wasFree = await checkPathFirst(state);
  const answered = await callModel(state);
  signal.throwIfAborted();
  checkPaths(answered.files.map(({ path }) => path));
  return {
    ok: true,
    root: state.dir,
    files: answered.files.map(({ path, content }) => ({ path, content: Buffer.from(content) })),
    overwrite: ready.agent.output.overwrite,
    replaces: state.replaces,
    wasFree,
    provenance: tools.blocking(() => provenanceOf(state, answered)),
    model: answered.answer.model,
    ...askedOf(ready.model, answered.answer.model),
    provider: ready.provider.name,
    recovered: false,
    ...notSearchedOf(answered),
    prompts: tools.blocking(() => state.sent.text()),
    usage: meter.total,
  };
}

const noContent = new Uint8Array(0);

function recovered(
  dir: string,
  { files, provider, model }: NonNullable<FoundBefore['result']>,
  meter: UsageMeter,
): JobSuccess {
  return {
    ok: true,
    root: dir,
    files: files.map((path) => ({ path, content: noContent })),
    overwrite: 'number',
    replaces: null,
    wasFree: null,
    provenance: {},
    model,
    provider,
    recovered: true,
    prompts: null,
    usage: meter.total,
  };
}

/** The agent may have changed since the job was enqueued, so its input is checked again. */
function checkedInput({ compiled }: ReadyAgent, value: unknown): JsonObject {
  const checked = compiled.checkInput(value);
  if (checked.ok) return checked.input;
  const problems = checked.problems.map(({ property, message }) => `${property} ${message}`);
  const message = `the input does not fit the agent as it is now: ${problems.join('; ')}`;
  throw new AttemptError('permanent', 'input_invalid', message);
}

function contextOf({ id, source, createdAtMs, attempt }: JobRequest, agent: Agent): JobContext {
  return {
    id,
    shortId: shortId(id),
    agent: agent.name,
    attempt,
    source,
    createdAt: new Date(createdAtMs).toISOString(),
  };
}

/** A path that needs no answer can be refused before anything was bought. */
async function checkPathFirst(state: Attempt): Promise<string | null> {
  const { tools, dir, ready, input, context, extractNotice, replaces } = state;
  const { format, overwrite } = ready.agent.output;
  const path = tools.blocking(() => ready.compiled.renderPath(input, context, extractNotice));
  if (path === null) return null;
  // For a set of files the pattern is a folder: any name in it shows whether it can be used.
  return format === 'files'
    ? tools.outputs.check(dir, `${path.replace(/\/+$/, '')}/file`, 'number', null)
    : tools.outputs.check(dir, path, overwrite, replaces);
}

/** The id that was asked for, where the server named the model otherwise. */
function askedOf(asked: unknown, named: unknown): { readonly askedModel?: string } {
  return typeof asked === 'string' && asked !== named ? { askedModel: asked } : {};
}

function notSearchedOf({ leftOut }: Pick<Answered, 'leftOut'>): { readonly notSearched?: string } {
  return leftOut.length === 0 ? {} : { notSearched: leftOutText(leftOut) };
}

function provenanceOf(state: Attempt, answered: Answered): JsonObject {
  const { answer, toolCalls } = answered;
  const { ready, request, input, meter, paid, startedAtMs } = state;
  return {
    agent: ready.agent.name,
    agentVersion: ready.agent.version,
    agentDigest: ready.agent.digest,
    provider: ready.provider.name,
    model: answer.model,
    ...askedOf(ready.model, answer.model),
    finishReason: answer.finishReason,
    usage: meter.total,
    ...(paid.replayed === 0 ? {} : { replayedCalls: paid.replayed }),
    ...(ready.toolSet === null ? {} : { toolCalls }),
    ...notSearchedOf(answered),
    attempt: request.attempt,
    source: request.source,
    inputSha256: createHash('sha256').update(JSON.stringify(input)).digest('hex'),
    enqueuedAt: new Date(request.createdAtMs).toISOString(),
    startedAt: new Date(startedAtMs).toISOString(),
    answeredAt: new Date().toISOString(),
  };
}

/** The agent changed between the classification of the job and its start: it is classified again. */
function changedMeanwhile(): AttemptError {
  return new AttemptError('aborted', 'agent_changed', 'its agent was changed before it began');
}

function superseded(input: JsonObject, { total: usage }: UsageMeter): JobResult {
  const message = 'another job does the work with the present definition';
  const failure = { class: 'permanent', code: 'superseded', message, retryAfterMs: null } as const;
  return { ok: false, failure, input, prompts: null, usage };
}

function unknownAgent(name: string): AttemptError {
  const message = `this consumer has no agent "${name}"; add its folder, then retry the job`;
  return new AttemptError('permanent', 'agent_unknown', message);
}

function timedOut(timeoutMs: number): AttemptError {
  const message = `the attempt took longer than limits.timeout allows (${timeoutMs} ms)`;
  return new AttemptError('transient', 'timeout', message);
}

/** No fault of the job: it comes back, and waits on. */
function waitedForRoom(timeoutMs: number): AttemptError {
  const message = `its calls waited for room in budgets or rates until limits.timeout was over (${timeoutMs} ms)`;
  return new AttemptError('aborted', 'no_room', message);
}
