/** Queueing jobs: the agent's own checks first, then the broker; all inputs of a call or none. */

import {
  type Agent,
  AgentError,
  type CompiledAgent,
  compileAgent,
  type InputProblem,
  type JsonObject,
  loadAgent,
} from '../agent/index.ts';
import type { Config, Environment } from '../config/index.ts';
import {
  AiqError,
  type Enqueued,
  type Job,
  type JobIdentity,
  newJobFor,
  type Place,
  placeOf,
  type Sender,
  sendJobs,
  shortId,
} from '../job-queue/index.ts';
import { agentNeeds, type Trust } from '../trust/index.ts';
import { checkEnqueueOptions } from './check-options.ts';
import type { Aiq, EnqueueOptions, JobRequest } from './contract.ts';
import { jobTermsOf } from './job-terms.ts';

interface LoadedAgent {
  readonly agent: Agent;
  readonly check: CompiledAgent['checkInput'];
}

const problemsShownMax = 50;

/** An agent's files are read at its first job, and count as long as the connection lives. */
export function createProducer({
  config,
  env = {},
  queue,
  trust,
}: {
  readonly config: Pick<Config, 'agentPaths' | 'baseDir' | 'provider' | 'providers' | 'model'>;
  readonly env?: Environment;
  readonly queue: Sender;
  readonly trust: Pick<Trust, 'allow'>;
}): Pick<Aiq, 'enqueue' | 'enqueueMany'> {
  const loaded = new Map<string, Promise<LoadedAgent>>();
  const madeIn = placeOf(config.baseDir);
  const send = async (agent: Agent, jobs: readonly Job[]): Promise<readonly Enqueued[]> => {
    const { answers } = await sendJobs(queue, jobs, async () => {
      // Loaded on first use, so that a program that only queues jobs starts without it.
      const { realProvider } = await import('../runtime/index.ts');
      const { provider, providers, model } = config;
      return realProvider({ provider, providers, model, env, trust }, agent.model);
    });
    return answers;
  };
  const load = async (name: string): Promise<LoadedAgent> => {
    const loading = loaded.get(name) ?? loadOne(name, config.agentPaths, trust);
    loaded.set(name, loading);
    try {
      const { agent, check } = await loading;
      return { agent: await withKnowledge(agent, config.baseDir), check };
    } catch (error) {
      // What is missing or broken may be mended before the next call.
      loaded.delete(name);
      throw error;
    }
  };
  return {
    async enqueue(name, input, options = {}) {
      const { agent, check } = await load(name);
      const result = check(input);
      if (!result.ok) throw notFitting(agent, result.problems);
      const [answer] = await send(agent, [toJob(agent, result.input, options, madeIn)]);
      if (answer === undefined) throw new AiqError('INTERNAL', 'the broker did not answer for it');
      if (answer.outcome === 'refused') throw new AiqError(answer.code, answer.message);
      return { ...answer, shortId: shortId(answer.id) };
    },
    async enqueueMany(name, requests) {
      const { agent, check } = await load(name);
      const answers = await send(agent, toJobs(agent, check, requests, madeIn));
      return answers.map((answer) => ({ ...answer, shortId: shortId(answer.id) }));
    },
  };
}

async function loadOne(
  name: string,
  paths: readonly string[],
  trust: Pick<Trust, 'allow'>,
): Promise<LoadedAgent> {
  const agent = await loadAgent(name, paths);
  await trust.allow(agentNeeds(agent));
  // An agent that could never run takes no jobs: its templates are compiled here already.
  const compiled = await compileAgent(agent);
  return { agent, check: (input) => compiled.checkInput(input) };
}

/** The agent with the present content of its knowledge files in its digest. */
async function withKnowledge(agent: Agent, baseDir: string): Promise<Agent> {
  if (agent.knowledge.length === 0) return agent;
  const { pinKnowledge } = await import('../tools/index.ts');
  return (await pinKnowledge(agent, baseDir)).agent;
}

/** @throws AgentError with the problems of all inputs, each under its place in the list */
function toJobs(
  agent: Agent,
  check: LoadedAgent['check'],
  requests: readonly JobRequest[],
  madeIn: Place,
): readonly Job[] {
  const jobs: Job[] = [];
  const problems: InputProblem[] = [];
  for (const [index, request] of requests.entries()) {
    const result = check(request.input);
    if (result.ok) jobs.push(toJob(agent, result.input, request, madeIn));
    for (const { property, message } of result.ok ? [] : result.problems) {
      const place = `[${index}]`;
      problems.push({ property: property === '' ? place : `${place}.${property}`, message });
    }
  }
  if (problems.length > 0) throw notFitting(agent, problems);
  return jobs;
}

function toJob(agent: Agent, input: JsonObject, options: EnqueueOptions, madeIn: Place): Job {
  checkEnqueueOptions(options);
  const { source } = options;
  return newJobFor(agent, {
    ...jobTermsOf(options),
    input,
    source,
    madeIn,
    identity: identityOf(options),
  });
}

function identityOf({ id, force = false }: EnqueueOptions): JobIdentity {
  if (id === undefined) return force ? { random: true } : 'content';
  if (id !== '' && !force) return { key: id };
  throw new AiqError(
    'BAD_REQUEST',
    force ? 'id and force contradict each other' : 'id is empty; leave it out',
  );
}

function notFitting(agent: Agent, problems: readonly InputProblem[]): AgentError {
  const lines = [
    `input does not fit agent "${agent.name}"`,
    ...problems
      .slice(0, problemsShownMax)
      .map(({ property, message }) => `  ${property}  ${message}`.replace(/^ {3,}/, '  ')),
  ];
  const more = problems.length - problemsShownMax;
  if (more > 0) lines.push(`  and ${more} more`);
  return new AgentError('input_invalid', lines.join('\n'), { problems });
}
