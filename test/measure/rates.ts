/**
 * `node test/measure/rates.ts minute|hidden [SECONDS]`: three consumers of three agents each at one server
 * that limits, and what came of it after a warm-up. `minute`: 600 requests and 600,000 tokens a minute, calls
 * of very different sizes. `hidden`: no more than 12 calls in flight, which no configuration says.
 */

import { mkdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Project } from '../support/project.ts';

const [mode = 'minute', seconds = '40'] = process.argv.slice(2);
const perMinute = { requests: 600, tokens: 600_000 };
const inFlightMax = 12;
const warmUpMs = mode === 'minute' ? 30_000 : 40_000;
const processes = 3;
const sizes = { small: 400, medium: 1_200, large: 2_600 };

/** A server's own limit: full at first, and filled again bit by bit. */
class Bucket {
  readonly #perMinute: number;
  #left: number;
  #atMs = performance.now();

  constructor(limit: number) {
    this.#perMinute = limit;
    this.#left = limit;
  }

  take(amount: number): boolean {
    const nowMs = performance.now();
    const gained = (this.#perMinute * (nowMs - this.#atMs)) / 60_000;
    this.#left = Math.min(this.#perMinute, this.#left + gained);
    this.#atMs = nowMs;
    if (this.#left < amount) return false;
    this.#left -= amount;
    return true;
  }
}

const buckets = { requests: new Bucket(perMinute.requests), tokens: new Bucket(perMinute.tokens) };
const counts = { answered: 0, refused: 0, tokens: 0 };
let inFlight = 0;
const seenInFlight: number[] = [];

const server = createServer((request, response) => void answer(request, response));

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  const tokens = Number(/tokens=(\d+)/.exec(text)?.[1] ?? 0);
  const fits =
    mode === 'minute'
      ? buckets.requests.take(1) && buckets.tokens.take(tokens)
      : inFlight < inFlightMax;
  if (!fits) {
    counts.refused += 1;
    return refuse(response);
  }
  inFlight += 1;
  await sleep(300 + tokens / 4);
  inFlight -= 1;
  counts.answered += 1;
  counts.tokens += tokens;
  const message = { role: 'assistant', content: 'Done.' };
  const usage = { prompt_tokens: tokens - 100, completion_tokens: 100 };
  response.setHeader('content-type', 'application/json');
  response.end(
    JSON.stringify({ model: 'm', choices: [{ message, finish_reason: 'stop' }], usage }),
  );
}

function refuse(response: ServerResponse): void {
  response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '1' });
  response.end(JSON.stringify({ error: { message: 'Rate limit reached', code: 'rate_limited' } }));
}

await new Promise<void>((resolve) => {
  server.listen(0, '127.0.0.1', resolve);
});
const { port } = server.address() as AddressInfo;
const project = await Project.make();
try {
  await configure();
  for (const _ of Array.from({ length: processes })) project.start('run', '-q');
  await sleep(warmUpMs);
  Object.assign(counts, { answered: 0, refused: 0, tokens: 0 });
  const windowMs = Number(seconds) * 1_000;
  for (const fromMs = performance.now(); performance.now() - fromMs < windowMs; ) {
    seenInFlight.push(inFlight);
    await sleep(50);
  }
  report({ ...counts }, windowMs);
  await reportCharged();
} finally {
  await project.remove();
  server.close();
  server.closeAllConnections();
}

async function configure(): Promise<void> {
  const limits =
    mode === 'minute'
      ? `requestsPerMinute: ${perMinute.requests}\n    tokensPerMinute: ${perMinute.tokens}`
      : 'concurrency: 100';
  await project.write(
    'aiq.config.yaml',
    `provider: limiting
providers:
  limiting:
    baseURL: http://127.0.0.1:${port}/v1
    model: m
    ${limits}
run:
  concurrency: 16
`,
  );
  for (const [name, size] of Object.entries(sizes)) {
    await mkdir(join(project.dir, 'agents', name), { recursive: true });
    await project.write(
      `agents/${name}/agent.yaml`,
      `name: ${name}
description: Says that it is done.
version: 1.0.0
instructions: Say it.
prompt: "{{input.text}}"
input:
  primary: text
  schema: { type: object, required: [text], properties: { text: { type: string } } }
output: { format: markdown, file: '${name}-{{job.shortId}}.md' }
`,
    );
    const line = (at: number): string =>
      JSON.stringify({ text: `Job ${at}, tokens=${Math.round(size * (0.5 + (at % 100) / 99))}.` });
    await project.write('jobs.jsonl', Array.from({ length: 900 }, (_, at) => line(at)).join('\n'));
    await project.succeed('enqueue', name, '--jsonl', 'jobs.jsonl');
  }
}

function report({ answered, refused, tokens }: typeof counts, windowMs: number): void {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const minutes = windowMs / 60_000;
  const sorted = seenInFlight.toSorted((one, other) => one - other);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  process.stdout.write(`${mode}, ${windowMs / 1_000} s after ${warmUpMs / 1_000} s:
  calls answered   ${answered}, ${percent(answered / (perMinute.requests * minutes))} of the requests
  tokens used      ${tokens}, ${percent(tokens / (perMinute.tokens * minutes))} of those allowed
  calls refused    ${refused}, ${percent(refused / (answered + refused))}
  calls in flight  ${at(0.5)} (5 of 100 below ${at(0.05)}, 5 of 100 above ${at(0.95)}, most ${at(1)})
`);
}

async function reportCharged(): Promise<void> {
  const { stdout } = await project.succeed('jobs', 'list', '--json', '--limit', '5000');
  const jobs = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { attempts: number });
  const charged = jobs.reduce((sum, { attempts }) => sum + attempts, 0);
  process.stdout.write(`  attempts charged ${charged}, of ${jobs.length} jobs\n`);
}
