/**
 * `aiq demo`: the whole path on real texts, through a detached broker of its own. Leaves the
 * results, and nothing running. Uses the agent that ships with aiq, whatever the folder holds.
 */

import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Agent, inputChecker, loadAgent } from '../../agent/index.ts';
import type { Config } from '../../config/index.ts';
import { stopBroker } from '../../host/index.ts';
import { newJobFor } from '../../queue/index.ts';
import type { JobReport, RunSummary } from '../../runtime/index.ts';
import { type Consumer, fatalError, startConsumer } from '../consumer.ts';
import { CliError } from '../errors.ts';
import type { ExitName } from '../exit-codes.ts';
import { sourceName } from '../input/sources.ts';
import { readTextFile } from '../input/text-file.ts';
import { filesOf, tellJob } from '../job-report.ts';
import { pathFromHere } from '../paths.ts';
import { connect, type Session } from '../session.ts';
import { exitOfSignal, onStopSignals, type StopSignal } from '../signals.ts';
import { formatElapsed } from '../table.ts';

const agentName = 'summarize';
const linesShown = 6;

export async function demo(session: Session): Promise<ExitName> {
  const config = await session.config();
  const agent = await loadAgent(agentName, []);
  const texts = await exampleTexts();
  const outputDir = join(config.output.dir, 'demo');
  await forgetLastDemo(outputDir);
  const dir = await mkdtemp(join(tmpdir(), 'aiq-demo-'));
  try {
    const stage: Stage = { agent, config: { ...config, broker: `file:${dir}` }, texts, outputDir };
    const files = await perform(session, stage);
    await tellResults(session, files);
    return 'ok';
  } finally {
    await stopBroker(dir);
    await rm(dir, { recursive: true, force: true });
  }
}

interface Stage {
  readonly agent: Agent;
  /** With the demo's own broker. */
  readonly config: Config;
  readonly texts: readonly string[];
  readonly outputDir: string;
}

/** The real texts that come with the package. */
async function exampleTexts(): Promise<string[]> {
  // Compiled code lies one folder deeper than the source.
  const folders = ['../../../examples/texts', '../../../../examples/texts'];
  const dir = folders
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path));
  if (dir === undefined) throw new CliError('notFound', 'the example texts are not installed');
  return (await readdir(dir)).sort().map((name) => join(dir, name));
}

/**
 * A demo starts fresh: with the records of the last one its jobs would be found done already. Only
 * what the demo itself writes is removed.
 */
async function forgetLastDemo(outputDir: string): Promise<void> {
  for (const name of ['.aiq', 'summaries']) {
    await rm(join(outputDir, name), { recursive: true, force: true });
  }
}

/** Queues the texts, works until all are done, and returns the files that stand. */
async function perform(session: Session, stage: Stage): Promise<string[]> {
  const { terminal } = session;
  const { config, agent, texts, outputDir } = stage;
  const startedAtMs = performance.now();
  const queue = await connect(config, terminal);
  const reports: JobReport[] = [];
  try {
    await queue.enqueue(await jobsOf(stage));
    const stored = formatElapsed(performance.now() - startedAtMs);
    terminal.note(`queued ${texts.length} texts, all on disk, in ${stored}`);
    const consumer = await startConsumer(session, {
      queue,
      agents: [agent],
      model: null,
      outputDir,
      concurrency: config.run.concurrency,
      threads: config.run.threads,
      onJob: (report) => {
        reports.push(report);
        tellJob(terminal, report);
      },
    });
    await workUntilDone(consumer);
  } finally {
    await queue.close();
  }
  terminal.note(`all done in ${formatElapsed(performance.now() - startedAtMs)}`);
  return standingFiles(reports, texts.length);
}

async function jobsOf({ agent, config, texts }: Stage): Promise<ReturnType<typeof newJobFor>[]> {
  const bytesMax = config.limits.inputBytesMax;
  const check = await inputChecker(agent);
  return Promise.all(
    texts.map(async (path) => {
      const checked = check({ text: await readTextFile(path, bytesMax) });
      if (!checked.ok) throw new CliError('invalid', `${path} does not fit agent "${agent.name}"`);
      return newJobFor(agent, { input: checked.input, source: sourceName(path) });
    }),
  );
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

/** @throws CliError when a text has no file, or an empty one */
async function standingFiles(reports: readonly JobReport[], count: number): Promise<string[]> {
  const files = reports.filter(({ outcome }) => outcome === 'ack').flatMap(filesOf);
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const standing = files.filter((_, index) => (sizes[index] ?? 0) > 0);
  if (standing.length >= count) return standing.sort();
  throw new CliError('partial', `only ${standing.length} of ${count} texts became a file`, [
    'The lines above say why.',
  ]);
}

async function tellResults({ terminal }: Session, files: readonly string[]): Promise<void> {
  if (terminal.json) return;
  const [first] = files;
  if (first !== undefined) {
    const lines = (await readFile(first, 'utf8')).split('\n').slice(0, linesShown);
    terminal.note(
      ['', `${pathFromHere(first)} begins:`, '', ...lines.map((line) => `  ${line}`)].join('\n'),
    );
  }
  terminal.note('\nThe results:');
  for (const file of files) terminal.result(pathFromHere(file));
  terminal.note(`
Next, with a file of your own:
  aiq enqueue ${agentName} article.txt --wait
  aiq enqueue ${agentName} docs/*.md     and   aiq run
With OPENAI_API_KEY set, a model writes the answers. A new agent is a folder: docs/agents.md`);
}
