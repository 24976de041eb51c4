/**
 * `enqueue --wait`: waits for jobs and prints their results. Runs them in this process when no other
 * consumer serves their queue.
 */

import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Agent, loadAgent } from '../../../agent/index.ts';
import { describeJob, type JobInfo, readNote, shortId } from '../../../job-queue/index.ts';
import { type Consumer, fatalError, startConsumer } from '../../consumer.ts';
import { CliError } from '../../errors.ts';
import { type ExitName, exitCode } from '../../exit-codes.ts';
import { jobsWaiting, stoppedTexts, waitingTexts } from '../../output/budget-watch.ts';
import { unwrittenText } from '../../output/extract-text.ts';
import { pathFromHere } from '../../output/format.ts';
import type { Terminal } from '../../output/terminal.ts';
import { printHeld, queueInfo } from '../../queue-hints.ts';
import type { Session } from '../../session.ts';
import { exitOfSignal, onStopSignals } from '../../signals.ts';
import { exitOfFinished, printFinished, reportFinished, waitForJobs } from '../../wait.ts';
import type { Accepted } from './submit.ts';

/** How often the queue is checked for consumers. */
const probeMs = 1_000;

/**
 * Prints each result as its job ends; all of them in the order of the jobs.
 * @throws CliError `waitTimeout`, `credential` when the provider refuses, `interrupted`
 */
export async function waitForResults(
  session: Session,
  agent: Agent,
  accepted: readonly Accepted[],
  timeoutMs: number | null,
): Promise<ExitName> {
  const queue = await session.queue();
  const { terminal } = session;
  await printHeld(session, agent, accepted);
  const ending = new AbortController();
  const release = stopOnSignals(ending);
  const open = new Set(accepted.filter(({ state }) => !isFinished(state)).map(({ id }) => id));
  const serving = open.size === 0 ? null : serve(session, agent, { jobs: open.size, ending });
  void endWithoutMoney(session, agent, { open, ending });
  let finished: JobInfo[] | null = null;
  const seen: JobInfo[] = [];
  try {
    finished = await waitForJobs(
      queue,
      accepted.map(({ id }) => id),
      {
        timeoutMs,
        signal: ending.signal,
        onFinished: (info) => {
          open.delete(info.id);
          seen.push(info);
          if (info.state !== 'done' && !terminal.json) reportFinished(terminal, info);
        },
      },
    );
    await printResults(session, finished);
    printFinished(terminal, finished);
    return exitOfFinished(finished);
  } catch (error) {
    if (error instanceof CliError && error.exit === 'budget') await printResults(session, seen);
    throw error;
  } finally {
    release();
    ending.abort();
    await endServing(terminal, serving, finished !== null);
  }
}

function isFinished(state: JobInfo['state']): boolean {
  return state === 'done' || state === 'dead' || state === 'cancelled';
}

function stopOnSignals(ending: AbortController): () => void {
  return onStopSignals(
    (signal) =>
      ending.abort(new CliError(exitOfSignal(signal), 'stopped waiting; the jobs continue')),
    (signal) => process.exit(exitCode(exitOfSignal(signal))),
  );
}

/** Ends the wait once no job of it can go on before a budget has room for it. */
async function endWithoutMoney(
  session: Session,
  agent: Agent,
  { open, ending }: { readonly open: ReadonlySet<string>; readonly ending: AbortController },
): Promise<void> {
  try {
    const queue = await session.queue();
    for (;;) {
      await sleep(probeMs, undefined, { signal: ending.signal });
      const jobs = (await jobsWaiting(queue, [agent.queue])).filter(({ id }) => open.has(id));
      if (jobs.length === 0 || jobs.length < open.size) continue;
      const [line, ...others] = [
        ...waitingTexts(await queue.budgets(), jobs),
        ...stoppedTexts(await queue.batches(), jobs),
      ];
      if (line !== undefined) return ending.abort(new CliError('budget', line, others));
    }
  } catch {
    // The wait has ended; and a broker that does not answer ends it by itself.
  }
}

/** Starts a consumer as soon as the queue has none; null when it always had one. */
async function serve(
  session: Session,
  agent: Agent,
  { jobs, ending }: { readonly jobs: number; readonly ending: AbortController },
): Promise<Consumer | null> {
  try {
    const queue = await session.queue();
    while (((await queueInfo(queue, agent.queue))?.consumers ?? 0) > 0) {
      await sleep(probeMs, undefined, { signal: ending.signal });
    }
    return await startHere(session, agent, { jobs, ending });
  } catch (error) {
    // The wait ends with the reason, unless it has ended already.
    ending.abort(error);
    return null;
  }
}

async function startHere(
  session: Session,
  agent: Agent,
  { jobs, ending }: { readonly jobs: number; readonly ending: AbortController },
): Promise<Consumer> {
  const { run, output } = await session.config();
  const concurrency = Math.min(run.concurrency, jobs);
  const consumer = await startConsumer(session, {
    queue: await session.queue(),
    agents: [agent],
    model: null,
    outputDir: output.dir,
    concurrency,
    threads: Math.min(run.threads, concurrency),
    onJob: () => undefined,
    rereadAgents: async ({ agentPaths, limits }) => [
      await loadAgent(agent.name, agentPaths, limits),
    ],
    onStuck: (error) => ending.abort(error),
  });
  void endWhenFatal(consumer, ending);
  return consumer;
}

async function endWhenFatal({ runtime }: Consumer, ending: AbortController): Promise<void> {
  const fatal = fatalError(await runtime.done);
  if (fatal !== null) ending.abort(fatal);
}

/** Own jobs are settled within this time after the broker reported their end. */
const settledMs = 250;

/** Finishes other jobs that this consumer has leased; returns them when the wait failed. */
async function endServing(
  terminal: Terminal,
  serving: Promise<Consumer | null> | null,
  waitSucceeded: boolean,
): Promise<void> {
  const consumer = await serving;
  if (consumer == null) return;
  const { runtime } = consumer;
  const note = setTimeout(() => {
    const { held } = runtime.counts;
    const jobs = held === 1 ? '1 other job' : `${held} other jobs`;
    if (waitSucceeded && held > 0) terminal.note(`finishing ${jobs} started here`);
  }, settledMs);
  await (waitSucceeded ? runtime.drain() : runtime.abort());
  await runtime.done;
  clearTimeout(note);
  await consumer.close();
}

async function printResults({ terminal }: Session, jobs: readonly JobInfo[]): Promise<void> {
  if (terminal.json) {
    for (const info of jobs) terminal.result(JSON.stringify(describeJob(info)));
    return;
  }
  const done = jobs.filter(({ state }) => state === 'done');
  const unwritten = done.filter(({ output }) => output === 'unwritten');
  const files = done
    .filter((info) => !unwritten.includes(info))
    .flatMap(({ note }) => readNote(note).files);
  for (const file of files) {
    if (files.length > 1) terminal.result(`==> ${pathFromHere(file)} <==`);
    terminal.resultText(await readResult(file));
  }
  for (const file of files) terminal.note(`wrote ${pathFromHere(file)}`);
  for (const info of unwritten) {
    terminal.warn(`${shortId(info.id)}: ${unwrittenText(info)}`);
    terminal.hint(`To see it: aiq jobs result ${shortId(info.id)}`);
  }
}

async function readResult(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new CliError('notFound', `the result cannot be read: ${file}`, [
      `${(error as Error).message}. The job is done; a worker on another machine may have written the file.`,
    ]);
  }
}
