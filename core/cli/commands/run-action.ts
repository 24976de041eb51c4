/** `aiq run`: runs queued jobs until it is stopped, or until no job is left. */

import { type Agent, type BrokenAgent, formatProblem, loadAgent } from '../../agent/index.ts';
import type { BudgetState } from '../../job-queue/index.ts';
import type { RunSummary, Runtime } from '../../runtime/index.ts';
import { discoverUsable, loadUsable, warnOfShadowedAgents } from '../agent-files.ts';
import { type Consumer, fatalError, startConsumer } from '../consumer.ts';
import { CliError, usageError } from '../errors.ts';
import { type ExitName, exitCode } from '../exit-codes.ts';
import { jobsWaiting, stoppedTexts, waitingTexts, watchBudgets } from '../output/budget-watch.ts';
import { printExtracts } from '../output/extract-text.ts';
import { FailureStop } from '../output/failure-watch.ts';
import { formatElapsed } from '../output/format.ts';
import { createLeftOutPrinter, printJob } from '../output/job-report.ts';
import type { Terminal } from '../output/terminal.ts';
import { usageText } from '../output/usage-text.ts';
import { warnOfForeign, warnOfUnserved } from '../queue-hints.ts';
import type { Session } from '../session.ts';
import { exitOfSignal, onStopSignals, type StopSignal } from '../signals.ts';
import { keepMemorySmall } from './small-memory.ts';

interface RunFlags {
  readonly agents?: string;
  readonly untilEmpty?: boolean;
  readonly model?: string;
  readonly stopAfter?: string;
}

export async function run(session: Session, flags: RunFlags): Promise<ExitName> {
  keepMemorySmall();
  if (flags.model?.trim() === '')
    throw usageError('--model is empty', 'Give a model, or omit the flag.');
  const config = await session.config();
  const agents = await pickAgents(session, flags.agents);
  const names = agents.map(({ name }) => name);
  const { terminal } = session;
  warnOfShadowedAgents(session, agents);
  const printLeftOut = createLeftOutPrinter(terminal);
  const queue = await session.queue();
  const budgets = watchBudgets(queue, terminal);
  const failures = new FailureStop(flags.stopAfter);
  const consumer = await startConsumer(session, {
    queue,
    agents,
    model: flags.model ?? null,
    outputDir: config.output.dir,
    concurrency: config.run.concurrency,
    threads: config.run.threads,
    onJob: (report) => {
      printJob(terminal, report);
      printLeftOut(report);
      budgets.onReport();
      failures.onReport(report);
    },
    rereadAgents: ({ agentPaths, limits }) =>
      Promise.all(names.map((name) => loadAgent(name, agentPaths, limits))),
  });
  failures.serve(consumer.runtime);
  terminal.hint(`working on ${names.join(', ')}; Ctrl-C stops`);
  const exit = await supervise(consumer, terminal, flags.untilEmpty ?? false);
  await warnOfForeign(session, agents);
  const isDrained = flags.untilEmpty === true && exit !== 'interrupted' && exit !== 'terminated';
  if (isDrained && flags.agents === undefined) await warnOfUnserved(session, agents);
  const waiting = await printWaiting(session, agents, await budgets.end());
  if (failures.reason !== null) {
    terminal.failure(`stopped: ${failures.reason}. What is left waits: aiq run goes on`);
    return 'budget';
  }
  return isDrained && exit === 'ok' && waiting > 0 ? 'budget' : exit;
}

/** Says which jobs wait for budgets and for stopped batches; resolves with their number. */
async function printWaiting(
  session: Session,
  agents: readonly Agent[],
  states: readonly BudgetState[],
): Promise<number> {
  const queue = await session.queue();
  const waiting = await jobsWaiting(
    queue,
    agents.map((agent) => agent.queue),
  );
  if (waiting.length === 0) return 0;
  const lines = [...waitingTexts(states, waiting), ...stoppedTexts(await queue.batches(), waiting)];
  for (const line of lines) session.terminal.failure(line);
  return waiting.length;
}

/** The agents to serve: all usable ones, or exactly those that were named. */
async function pickAgents(session: Session, names: string | undefined): Promise<Agent[]> {
  if (names !== undefined) {
    const wanted = new Set(names.split(',').map((name) => name.trim()));
    wanted.delete('');
    if (wanted.size === 0)
      throw usageError('--agents names no agent', 'Example: --agents summarize');
    return Promise.all([...wanted].map((name) => loadUsable(session, name)));
  }
  const { agents, broken } = await discoverUsable(session, 'run');
  for (const agent of broken) warnOfBroken(session.terminal, agent);
  if (agents.length > 0) return agents;
  throw new CliError('notFound', 'no agent to run', ['Create one: aiq agents new <name>']);
}

function warnOfBroken(terminal: Terminal, { name, problems }: BrokenAgent): void {
  terminal.warn(`agent "${name}" is skipped:`);
  for (const problem of problems) terminal.warn(`  ${formatProblem(problem)}`);
}

/** Waits for the end of the run; the first signal drains it, the second aborts it. */
async function supervise(
  { runtime, close }: Consumer,
  terminal: Terminal,
  untilEmpty: boolean,
): Promise<ExitName> {
  const forced = stopOnSignals(runtime, terminal);
  try {
    const summary = await (untilEmpty ? runtime.untilEmpty() : runtime.done);
    printSummary(terminal, summary);
    const signal = forced.signal();
    if (signal !== null) return exitOfSignal(signal);
    const fatal = fatalError(summary);
    if (fatal !== null) throw fatal;
    return untilEmpty ? exitOf(summary) : 'ok';
  } catch (error) {
    await runtime.abort();
    throw error;
  } finally {
    forced.release();
    await close();
  }
}

/** Limit for `abort`; then the process exits without it. */
const abortMsMax = 2_000;

function stopOnSignals(
  runtime: Runtime,
  terminal: Terminal,
): { signal(): StopSignal | null; release(): void } {
  let forced: StopSignal | null = null;
  const release = onStopSignals(
    () => {
      const { held } = runtime.counts;
      const jobs = held === 1 ? '1 running job' : `${held} running jobs`;
      terminal.note(`stopping: finishing ${jobs}; Ctrl-C again stops at once`);
      void runtime.drain();
    },
    (signal) => {
      forced = signal;
      terminal.note('stopping at once: running jobs return to the queue');
      void runtime.abort();
      setTimeout(() => process.exit(exitCode(exitOfSignal(signal))), abortMsMax).unref();
    },
  );
  return { signal: () => forced, release };
}

function printSummary(terminal: Terminal, { counts, usage, elapsedMs }: RunSummary): void {
  const parts = [`${counts.done} done`];
  if (counts.dead > 0) parts.push(`${counts.dead} dead (see: aiq jobs list --state dead)`);
  if (counts.superseded > 0) {
    parts.push(`${counts.superseded} moved to the current definition of their agents`);
  }
  if (counts.returned > 0) parts.push(`${counts.returned} returned`);
  if (counts.lost > 0) parts.push(`${counts.lost} lost (lease expired or job cancelled)`);
  terminal.note(`${parts.join(', ')} in ${formatElapsed(elapsedMs)}`);
  const used = usageText(usage);
  if (used !== '') terminal.note(used);
  printExtracts(terminal, counts.extracts, counts.done);
}

function exitOf({ counts }: RunSummary): ExitName {
  if (counts.dead === 0) return 'ok';
  return counts.done === 0 ? 'jobFailed' : 'partial';
}
