/**
 * Jobs that meet every fault of the fault matrix, through `aiq run` and a broker: `aiq costs` has what the
 * server said, to the millionth, for every call that it answered with what it used; the rest is marked.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadAgent } from '../../core/agent/index.ts';
import { newJobFor, openQueue } from '../../core/job-queue/index.ts';
import { type Fault, type FaultAgent, faults } from '../support/faults/index.ts';
import { Project } from '../support/project.ts';
import { type FaultBill, faultBill, faultPrice } from './fault-bill.ts';

export interface CostsReport {
  readonly faults: number;
  readonly jobs: number;
  readonly calls: number;
  /** Calls that said what they used, and what that cost. */
  readonly counted: number;
  readonly countedMicros: number;
  /** As `aiq costs` has them. */
  readonly settledMicros: number;
  readonly unknownCalls: number;
  readonly problems: readonly string[];
}

interface CostsRow {
  readonly model: string;
  /** With those of unknown cost. */
  readonly calls: number;
  readonly unknownCalls: number;
  readonly settledMicros: number;
  readonly heldMicros: number;
}

/** No call for so long, and only held jobs are left. */
const quietMs = 8_000;
const patienceMs = 120_000;
const schema =
  '{ type: object, required: [n, list], properties: { n: { type: integer }, list: { type: array, items: { type: integer } } } }';
const strictSchema = schema.replace(
  '{ type: object,',
  '{ type: object, additionalProperties: false,',
);
const text = "output: { format: text, file: '{{job.id}}.txt' }";

/** What the manifest of each kind has of its own. */
const parts: Record<FaultAgent, string> = {
  text,
  limited: text,
  tuned: text,
  json: `output: { format: json, file: '{{job.id}}.json', schema: ${schema} }`,
  strict: `output: { format: json, file: '{{job.id}}.json', schema: ${strictSchema} }`,
  files: "output: { format: files, file: '{{job.id}}' }",
  tools: `tools: [./tools/probe.js]\n${text}`,
};

const probe = `export const tool = {
  name: 'probe',
  description: 'Probes.',
  parameters: { type: 'object', required: ['q'], properties: { q: { type: 'integer' } } },
  run: async ({ q }) => 'found ' + q,
};
`;

function manifestOf({ name, agent = 'text', timeoutMs, idleMs }: Fault, index: number): string {
  const timeout = timeoutMs !== undefined || idleMs !== undefined ? '2s' : '2m';
  const options = agent === 'tuned' ? '{ temperature: 0.2, maxOutputTokens: 32000 }' : '{}';
  return `name: ${agentNameOf(index)}
description: Meets a fault.
version: 1.0.0
instructions: Answer.
prompt: '{{input.text}}'
model: { id: ${JSON.stringify(name)}, options: ${options} }
limits: { timeout: ${timeout}, maxSteps: 5 }
retry: { attempts: 3, delay: 20ms, maxDelay: 50ms }
input:
  primary: text
  schema: { type: object, required: [text], properties: { text: { type: string } } }
${parts[agent]}
`;
}

function agentNameOf(index: number): string {
  return `fault-${index}`;
}

export async function costsDrill(jobs: number, signal: AbortSignal): Promise<CostsReport> {
  const project = await Project.make();
  const server = await faultBill();
  try {
    project.setEnv({
      OPENAI_BASE_URL: server.provider.baseURL,
      OPENAI_API_KEY: server.provider.apiKey,
      AIQ_MODEL: 'none',
    });
    await prepare(project);
    await enqueue(project, jobs);
    const run = project.start('run', '--concurrency', '32');
    await untilQuiet(server, signal);
    run.child.kill('SIGTERM');
    await run.finished;
    return await reportOf(project, server, jobs);
  } finally {
    await project.remove();
    await server.close();
  }
}

async function prepare(project: Project): Promise<void> {
  for (const [index, fault] of faults.entries()) {
    const dir = `agents/${agentNameOf(index)}`;
    await mkdir(join(project.dir, dir, 'tools'), { recursive: true });
    await project.write(`${dir}/agent.yaml`, manifestOf(fault, index));
    await project.write(`${dir}/tools/probe.js`, probe);
  }
  const prices = Object.fromEntries(faults.map(({ name }) => [name, faultPrice]));
  const config = { prices, limits: { answerBytesMax: 1_000_000 } };
  await project.write('aiq.config.yaml', JSON.stringify(config));
}

async function enqueue(project: Project, jobs: number): Promise<void> {
  const queue = await openQueue({
    broker: `file:${join(project.dir, '.aiq')}`,
    tokenFile: null,
    clientName: 'money',
    connectDeadlineMs: 60_000,
  });
  try {
    const paths = [join(project.dir, 'agents')];
    const agents = await Promise.all(
      faults.map((_, index) => loadAgent(agentNameOf(index), paths)),
    );
    const made = Array.from({ length: Math.ceil(jobs / faults.length) + 1 }, (_, round) =>
      faults.flatMap(({ name, agent: kind }, index) => {
        const agent = agents[index];
        // Floods are met once: more of them would hold up all other calls beyond their time.
        if (agent === undefined || (round > 0 && name.startsWith('endless'))) return [];
        const words = kind === 'limited' ? 'word '.repeat(10_000) : 'hello';
        return newJobFor(agent, { input: { text: `${round} ${words}` } });
      }),
    );
    await queue.enqueue(made.flat().slice(0, jobs));
  } finally {
    await queue.close();
  }
}

async function untilQuiet(server: FaultBill, signal: AbortSignal): Promise<void> {
  const startMs = performance.now();
  let [calls, sinceMs] = [0, startMs];
  for (;;) {
    signal.throwIfAborted();
    const nowMs = performance.now();
    const seen = server.requests.filter(({ url }) => !url.endsWith('/models')).length;
    if (seen !== calls) [calls, sinceMs] = [seen, nowMs];
    if (calls > 0 && nowMs - sinceMs > quietMs) return;
    if (nowMs - startMs > patienceMs) return;
    await sleep(100);
  }
}

async function reportOf(project: Project, server: FaultBill, jobs: number): Promise<CostsReport> {
  const { stdout } = await project.succeed('--json', 'costs', '--by', 'model');
  const lines = stdout.trim().split('\n');
  const rows = new Map(
    lines.map((line) => JSON.parse(line) as CostsRow).map((row) => [row.model, row]),
  );
  const said = Map.groupBy(server.said, ({ fault }) => fault);
  const problems: string[] = [];
  let counted = 0;
  let countedMicros = 0;
  for (const { name } of faults) {
    const calls = said.get(name) ?? [];
    if (calls.length === 0) problems.push(`${name}: no call`);
    const known = calls.flatMap(({ micros }) => micros ?? []);
    const micros = known.reduce((sum, one) => sum + one, 0);
    const streams = calls.filter((call) => call.isStreamed && call.micros === null).length;
    const row = rows.get(name) ?? { calls: 0, unknownCalls: 0, settledMicros: 0, heldMicros: 0 };
    const settled = row.calls - row.unknownCalls;
    counted += known.length;
    countedMicros += micros;
    const wrong = (what: string): void => void problems.push(`${name}: ${what}`);
    if (settled !== known.length) wrong(`${settled} calls settled, ${known.length} said their use`);
    if (row.settledMicros !== micros) wrong(`${row.settledMicros} settled, ${micros} billed`);
    if (row.heldMicros !== 0) wrong(`${row.heldMicros} are still held`);
    if (row.unknownCalls < streams || row.unknownCalls > calls.length - known.length) {
      wrong(
        `${row.unknownCalls} calls marked, of ${calls.length - known.length} that said nothing`,
      );
    }
  }
  const all = [...rows.values()];
  return {
    faults: faults.length,
    jobs,
    calls: server.said.length,
    counted,
    countedMicros,
    settledMicros: all.reduce((sum, row) => sum + row.settledMicros, 0),
    unknownCalls: all.reduce((sum, row) => sum + row.unknownCalls, 0),
    problems,
  };
}
