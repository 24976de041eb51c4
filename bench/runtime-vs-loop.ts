/**
 * The runtime against what a user would write instead: a bounded loop around the `openai` package
 * that also writes its files durably. 200 jobs, 32 at a time, a model that takes 100 ms in a process
 * of its own; both sides warm, in turns. `node bench/runtime-vs-loop.ts [repetitions]`
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OpenAI } from 'openai';
import { type Agent, loadAgent } from '../core/agent/index.ts';
import { type JobQueue, newJob, openQueue } from '../core/job-queue/index.ts';
import type { Provider } from '../core/model/index.ts';
import { type Runtime, startRuntime } from '../core/runtime/index.ts';
import { serveModel } from './measure/model-server.ts';

const jobs = 200;
const concurrency = 32;
const threads = 2;
const latencyMs = 100;
const text = 'The mill burned in 1901. It was rebuilt in 1903. It shut in 1950. '.repeat(20);

if (process.send === undefined) await compare(Number(process.argv[2] ?? 7));
else await serve();

/** The child: the model server, and a sleeper whose late wake-ups show how long the machine was paused. */
async function serve(): Promise<void> {
  const { provider } = await serveModel(latencyMs);
  const sampleMs = 10;
  let pausedMs = 0;
  let sampledAtMs = performance.now();
  setInterval(() => {
    const lateMs = performance.now() - sampledAtMs - sampleMs;
    if (lateMs > sampleMs) pausedMs += lateMs;
    sampledAtMs = performance.now();
  }, sampleMs);
  process.on('message', () => {
    process.send?.(pausedMs);
    pausedMs = 0;
  });
  process.on('disconnect', () => process.exit());
  process.send?.(provider);
}

async function compare(repetitions: number): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'aiq-bench-'));
  const child = fork(import.meta.filename);
  const [provider] = (await once(child, 'message')) as [Provider];
  const agent = await loadAgent('summarize', []);
  const broker = `file:${join(dir, '.aiq')}`;
  const queue = await openQueue({ broker, tokenFile: null, clientName: 'bench' });
  const consumer = await startConsumer(queue, agent, provider, join(dir, 'aiq'));
  console.log(
    `${jobs} jobs, concurrency ${concurrency}, ${threads} threads, latency ${latencyMs} ms, ` +
      `Node ${process.version}; the ideal is ${Math.ceil(jobs / concurrency) * latencyMs} ms`,
  );
  try {
    await runAiq(queue, agent, consumer, 'warm');
    await runLoop(provider, join(dir, 'loop-warm'));
    const rows = [];
    for (let round = 0; round < repetitions; round++) {
      await lap(child);
      const aiqMs = await runAiq(queue, agent, consumer, `round ${round}`);
      const aiqPausedMs = await lap(child);
      const loopMs = await runLoop(provider, join(dir, `loop-${round}`));
      const loopPausedMs = await lap(child);
      rows.push({ aiqMs, loopMs, ratio: aiqMs / loopMs, aiqPausedMs, loopPausedMs });
    }
    report(rows);
    await checkFiles(dir, repetitions);
  } finally {
    await consumer.runtime.drain();
    await queue.shutdown();
    await queue.close();
    child.disconnect();
    await rm(dir, { recursive: true });
  }
}

interface BenchConsumer {
  readonly runtime: Runtime;
  /** Resolves when so many more jobs are done. */
  finished(count: number): Promise<void>;
}

async function startConsumer(
  queue: JobQueue,
  agent: Agent,
  provider: Provider,
  outputDir: string,
): Promise<BenchConsumer> {
  let missing = 0;
  let resolve = (): void => {};
  const line = (): void => {};
  const runtime = await startRuntime({
    queue,
    agents: [agent],
    provider,
    outputDir,
    concurrency,
    threads,
    limits: { idleMs: 30_000, answerBytesMax: 1_000_000 },
    prices: {},
    graceMs: 5_000,
    log: { debug: line, info: line, warn: line, error: line },
    onJob: ({ outcome, errorMessage }) => {
      if (outcome !== 'ack') throw new Error(`a job ended as ${outcome}: ${errorMessage}`);
      missing -= 1;
      if (missing === 0) resolve();
    },
  });
  const finished = (count: number): Promise<void> =>
    new Promise((done) => {
      missing += count;
      resolve = done;
    });
  return { runtime, finished };
}

/** From the enqueue to the last acknowledgement. */
async function runAiq(
  queue: JobQueue,
  agent: Agent,
  consumer: BenchConsumer,
  name: string,
): Promise<number> {
  const { name: agentName, digest, queue: queueName } = agent;
  const batch = Array.from({ length: jobs }, (_, index) =>
    newJob({
      agent: agentName,
      agentDigest: digest,
      queue: queueName,
      input: { text: `${name} ${index}: ${text}` },
      source: `${name}-${index}`,
    }),
  );
  const startedAtMs = performance.now();
  const finished = consumer.finished(jobs);
  await queue.enqueue(batch);
  await finished;
  return performance.now() - startedAtMs;
}

/** What a careful user writes by hand: bounded, and each file durable before the next job begins. */
async function runLoop(provider: Provider, outputDir: string): Promise<number> {
  await mkdir(outputDir);
  const { baseURL, apiKey, defaultModel: model } = provider;
  const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
  const startedAtMs = performance.now();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < jobs) {
      const index = next++;
      const completion = await client.chat.completions.create({
        model,
        max_completion_tokens: 800,
        messages: [
          { role: 'system', content: 'You sum up texts faithfully.' },
          { role: 'user', content: `<text>${index}: ${text}</text>` },
        ],
      });
      const path = join(outputDir, `${index}.md`);
      const file = await open(`${path}.tmp`, 'wx');
      await file.writeFile(completion.choices[0]?.message.content ?? '');
      await file.datasync();
      await file.close();
      await rename(`${path}.tmp`, path);
      const folder = await open(outputDir);
      await folder.sync();
      await folder.close();
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  return performance.now() - startedAtMs;
}

/** Milliseconds that the machine stood still since the last lap. */
async function lap(child: ChildProcess): Promise<number> {
  child.send('lap');
  const [pausedMs] = (await once(child, 'message')) as [number];
  return pausedMs;
}

type Row = Readonly<Record<'aiqMs' | 'loopMs' | 'ratio' | 'aiqPausedMs' | 'loopPausedMs', number>>;

function report(rows: readonly Row[]): void {
  for (const { aiqMs, loopMs, ratio, aiqPausedMs, loopPausedMs } of rows) {
    console.log(
      `aiq ${aiqMs.toFixed(0)} ms (paused ${aiqPausedMs.toFixed(0)})  ` +
        `loop ${loopMs.toFixed(0)} ms (paused ${loopPausedMs.toFixed(0)})  ratio ${ratio.toFixed(2)}`,
    );
  }
  for (const [name, digits] of [
    ['aiqMs', 0],
    ['loopMs', 0],
    ['ratio', 2],
  ] as const) {
    const values = rows.map((row) => row[name]).toSorted((a, b) => a - b);
    const show = (at: number): string => (values[at] ?? Number.NaN).toFixed(digits);
    const median = show(Math.floor(values.length / 2));
    console.log(`${name}: median ${median}, min ${show(0)}, max ${show(values.length - 1)}`);
  }
}

/** A faster run that lost files would be no win. */
async function checkFiles(dir: string, repetitions: number): Promise<void> {
  const written = await readdir(join(dir, 'aiq', 'summaries'));
  const expected = jobs * (repetitions + 1);
  if (written.length !== expected) throw new Error(`${written.length} files, not ${expected}`);
}
