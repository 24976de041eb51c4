/**
 * `aiq demo`: summarizes example texts through a temporary broker with the built-in agents. Keeps
 * the results and leaves no process behind.
 */

import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Agent, inputChecker, type JsonObject, loadAgent } from '../../agent/index.ts';
import type { Config } from '../../config/index.ts';
import { stopBroker } from '../../host/index.ts';
import { newJobFor } from '../../job-queue/index.ts';
import type { JobReport, RunSummary } from '../../runtime/index.ts';
import { type Consumer, fatalError, startConsumer } from '../consumer.ts';
import { CliError } from '../errors.ts';
import type { ExitName } from '../exit-codes.ts';
import { sourceName } from '../input/sources.ts';
import { readTextFile } from '../input/text-file.ts';
import { printExtracts } from '../output/extract-text.ts';
import { formatElapsed, pathFromHere } from '../output/format.ts';
import { filesOf, printJob } from '../output/job-report.ts';
import { connect, type Session } from '../session.ts';
import { exitOfSignal, onStopSignals, type StopSignal } from '../signals.ts';

const linesShown = 6;
const question = 'How many Senators does each State have?';
const brief = 'Write README.md, config.json and data/rows.csv for a small lending library.';

export async function demo(session: Session): Promise<ExitName> {
  const config = await session.config();
  const texts = exampleTexts();
  const agents = await shippedAgents();
  const outputDir = join(config.output.dir, 'demo');
  await removeLastDemo(outputDir);
  const dir = await mkdtemp(join(tmpdir(), 'aiq-demo-'));
  try {
    const setup: Demo = { agents, config: { ...config, broker: `file:${dir}` }, texts, outputDir };
    const files = await runJobs(session, setup);
    await printAllResults(session, files);
    return 'ok';
  } finally {
    await stopBroker(dir);
    await rm(dir, { recursive: true, force: true });
  }
}

interface Agents {
  readonly summarize: Agent;
  readonly search: Agent;
  readonly filegen: Agent;
}

interface Demo {
  readonly agents: Agents;
  /** With the demo's own broker. */
  readonly config: Config;
  /** Folder of the texts. */
  readonly texts: string;
  readonly outputDir: string;
}

/** The folder of the real texts that come with the package. */
function exampleTexts(): string {
  const dir = fileURLToPath(new URL('../../../examples/texts', import.meta.url));
  if (!existsSync(dir)) throw new CliError('notFound', 'the example texts are not installed');
  return dir;
}

async function shippedAgents(): Promise<Agents> {
  const [summarize, search, filegen] = await Promise.all(
    ['summarize', 'search', 'filegen'].map((name) => loadAgent(name, [])),
  );
  if (summarize === undefined || search === undefined || filegen === undefined) {
    throw new CliError('notFound', 'the agents that ship with aiq are not installed');
  }
  const knowledge = [{ include: ['*'], exclude: [], chunkSize: 1200 }];
  return { summarize, search: { ...search, knowledge }, filegen };
}

/** Removes the files of the last demo; with its index of results all jobs would be done already. */
async function removeLastDemo(outputDir: string): Promise<void> {
  for (const name of ['.aiq', 'summaries', 'answers', 'generated']) {
    await rm(join(outputDir, name), { recursive: true, force: true });
  }
}

/** Queues the jobs, runs them, and returns the files of the results. */
async function runJobs(session: Session, setup: Demo): Promise<string[]> {
  const { terminal } = session;
  const { config, agents, texts, outputDir } = setup;
  const startedAtMs = performance.now();
  const queue = await connect(config, terminal);
  const reports: JobReport[] = [];
  try {
    const jobs = await jobsOf(setup);
    await queue.enqueue(jobs);
    const stored = formatElapsed(performance.now() - startedAtMs);
    terminal.note(
      `queued ${jobs.length - 2} texts, a question and a brief, all on disk, in ${stored}`,
    );
    const consumer = await startConsumer(session, {
      queue,
      agents: Object.values(agents),
      model: null,
      outputDir,
      baseDir: texts,
      concurrency: config.run.concurrency,
      threads: config.run.threads,
      onJob: (report) => {
        reports.push(report);
        printJob(terminal, report);
      },
    });
    await workUntilDone(consumer);
    terminal.note(`all done in ${formatElapsed(performance.now() - startedAtMs)}`);
    const extracts = reports.filter(({ provider }) => provider === 'offline').length;
    printExtracts(terminal, extracts, jobs.length);
    return await writtenFiles(reports, jobs.length);
  } finally {
    await queue.close();
  }
}

type NewJob = ReturnType<typeof newJobFor>;

/** One job for each text, then the question and the brief. */
async function jobsOf({ agents, config, texts }: Demo): Promise<NewJob[]> {
  const names = (await readdir(texts)).sort();
  const summaries = names.map(async (name) => {
    const text = await readTextFile(join(texts, name), config.limits.inputBytesMax);
    return jobOf(agents.summarize, { text }, sourceName(name));
  });
  return Promise.all([
    ...summaries,
    jobOf(agents.search, { query: question }),
    jobOf(agents.filegen, { brief }),
  ]);
}

async function jobOf(agent: Agent, input: JsonObject, source = ''): Promise<NewJob> {
  const checked = (await inputChecker(agent))(input);
  if (!checked.ok) throw new CliError('invalid', `the input does not fit agent "${agent.name}"`);
  return newJobFor(agent, { input: checked.input, source });
}

async function workUntilDone({ runtime, close }: Consumer): Promise<void> {
  const signals: StopSignal[] = [];
  const stop = (signal: StopSignal): void => {
    signals.push(signal);
    void runtime.abort();
  };
  const release = onStopSignals(stop, stop);
  let summary: RunSummary;
  try {
    summary = await runtime.untilEmpty();
  } finally {
    await runtime.abort();
    release();
    await close();
  }
  const [signal] = signals;
  if (signal !== undefined) throw new CliError(exitOfSignal(signal), 'the demo was stopped');
  const fatal = fatalError(summary);
  if (fatal !== null) throw fatal;
}

/** @throws CliError when a job has no file, or an empty one */
async function writtenFiles(reports: readonly JobReport[], count: number): Promise<string[]> {
  const done = reports.filter(({ outcome }) => outcome === 'ack').map(filesOf);
  const sizes = await Promise.all(done.flat().map(async (file) => (await stat(file)).size));
  if (done.length >= count && !sizes.includes(0)) return done.flat().sort();
  throw new CliError('partial', `only ${done.length} of ${count} jobs produced files`, [
    'See the lines above.',
  ]);
}

async function printAllResults({ terminal }: Session, files: readonly string[]): Promise<void> {
  if (terminal.json) return;
  for (const folder of ['answers', 'summaries']) {
    const file = files.find((path) => basename(dirname(path)) === folder);
    if (file === undefined) continue;
    const lines = (await readFile(file, 'utf8')).split('\n').slice(0, linesShown);
    terminal.note(
      ['', `${pathFromHere(file)} begins:`, '', ...lines.map((line) => `  ${line}`)].join('\n'),
    );
  }
  terminal.note('\nResults:');
  for (const file of files) terminal.result(pathFromHere(file));
  terminal.note(`
Next, with files of your own:
  aiq enqueue summarize article.txt --wait
  aiq enqueue summarize docs/*.md     and   aiq run
  aiq enqueue search --query 'What do my docs/ say about …?' --wait
With OPENAI_API_KEY set, a model writes the answers. A new agent is a folder: docs/guides/agents.md`);
}
