/**
 * A budget under load: jobs of random cost at a provider that bills by itself, through consumers and a
 * broker that are killed. At no time is more billed than the cap, or than the ledger knows of; at the end the
 * cap is used; after a raise the rest is done.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadAgent } from '../../core/agent/index.ts';
import {
  AiqError,
  type BudgetState,
  type JobQueue,
  newJobFor,
  openQueue,
} from '../../core/job-queue/index.ts';
import { Project } from '../support/project.ts';
import { randomOf } from '../support/random.ts';
import { BillReader } from './bill.ts';
import { KilledCrowd } from './crowd.ts';
import { billedModel, outputTokensMax, pricesText, startProvider } from './provider.ts';

export interface CapOptions {
  readonly seed: number;
  readonly jobs: number;
  /** Without kills, cuts, time-outs and missing counts. */
  readonly isPlain: boolean;
  /** Ends it before its time; what it started is ended with it. */
  readonly signal: AbortSignal;
  /** Kills go on for so long at most, until the cap is reached and after the raise; the rest is left alone. */
  readonly unrestMs: { readonly first: number; readonly again: number };
  readonly killEvery: { readonly consumerMs: number; readonly brokerMs: number };
}

export interface CapReport {
  readonly seconds: number;
  readonly calls: number;
  readonly fates: ReadonlyMap<string, number>;
  readonly consumerKills: number;
  readonly brokerKills: number;
  /** Times that bill and ledger were held against each other. */
  readonly looks: number;
  readonly capMicros: number;
  /** When nothing fitted any more. */
  readonly atCap: Counted & { readonly parked: number };
  readonly atEnd: Counted & { readonly done: number; readonly dead: number };
  readonly problems: readonly string[];
}

export interface Counted {
  readonly billedMicros: number;
  readonly settledMicros: number;
  readonly heldMicros: number;
  readonly unknownMicros: number;
}

const budgetName = 'cap';
const agentName = 'tiny';
/** What a job's call costs on average, so that a cap can be a share of what all would cost. */
const meanMicros = 7_300;
const capShare = 0.6;
const boundShareMax = 0.02;
const usedShareMin = 0.95;
const raisedTimes = 5;
const textCharsMax = 3_000;
const [consumers, places] = [3, 16];
const lookEveryMs = 50;
/** So often the same, nothing moves any more. */
const restLooks = 8;
const patienceMs = 300_000;
const timeouts = { rough: '3s', roughLateMs: 4_000, plain: '10m' };

const manifest = (timeout: string): string => `name: ${agentName}
description: Says yes.
version: 1.0.0
instructions: Say yes.
prompt: '{{input.text}}'
model: { options: { maxOutputTokens: ${outputTokensMax} } }
limits: { timeout: ${timeout} }
retry: { attempts: 30, delay: 50ms, maxDelay: 200ms }
input:
  primary: text
  schema:
    type: object
    required: [text]
    properties: { text: { type: string } }
output: { format: text, file: '{{job.id}}.txt' }
`;

export async function capDrill(options: CapOptions): Promise<CapReport> {
  const project = await Project.make();
  const bill = join(project.dir, 'bill');
  const reader = new BillReader(bill);
  const { seed, isPlain } = options;
  const lateMs = timeouts.roughLateMs;
  const provider = await startProvider({ seed, isPlain, lateMs, bill });
  project.setEnv({
    OPENAI_BASE_URL: provider.baseURL,
    OPENAI_API_KEY: provider.apiKey,
    AIQ_MODEL: billedModel,
  });
  const crowd = new KilledCrowd(project, { consumers, places, random: randomOf(seed) });
  const queue = await openQueue({
    broker: brokerOf(project),
    tokenFile: null,
    clientName: 'money',
    connectDeadlineMs: 60_000,
  });
  try {
    return await new CapDrill(options, { project, reader, crowd, queue }).run();
  } finally {
    await crowd.end();
    await queue.close();
    provider.stop();
    reader.close();
    await project.remove();
  }
}

/** An address at which no client starts a broker: there is the one that is killed. */
function brokerOf({ dir }: Project): string {
  return `unix:${join(dir, '.aiq', 'broker.sock')}`;
}

interface Stage {
  readonly project: Project;
  readonly reader: BillReader;
  readonly crowd: KilledCrowd;
  readonly queue: JobQueue;
}

type Jobs = Record<'ready' | 'leased' | 'delayed' | 'parked' | 'done' | 'dead', number>;

class CapDrill {
  readonly #options: CapOptions;
  readonly #stage: Stage;
  readonly #capMicros: number;
  readonly #problems = new Set<string>();
  #looks = 0;

  constructor(options: CapOptions, stage: Stage) {
    this.#options = options;
    this.#stage = stage;
    this.#capMicros = Math.round(options.jobs * meanMicros * capShare);
  }

  async run(): Promise<CapReport> {
    const startMs = performance.now();
    const { crowd, reader } = this.#stage;
    const { unrestMs } = this.#options;
    await this.#enqueue();
    crowd.startConsumers();
    const parked = await this.#untilRest(unrestMs.first);
    const atCap = await this.#counted();
    await this.#checkCap(atCap);
    await this.#stage.project.succeed('budgets', 'raise', budgetName, this.#amount(raisedTimes));
    const jobs = await this.#untilRest(unrestMs.again);
    const atEnd = await this.#counted();
    await this.#checkEnd(jobs, atEnd);
    const { calls, fates } = reader.read();
    const { consumerKills, brokerKills } = crowd;
    return {
      seconds: (performance.now() - startMs) / 1000,
      calls,
      fates,
      consumerKills,
      brokerKills,
      looks: this.#looks,
      capMicros: this.#capMicros,
      atCap: { ...atCap, parked: parked.parked },
      atEnd: { ...atEnd, done: jobs.done, dead: jobs.dead },
      problems: [...crowd.problems, ...this.#problems],
    };
  }

  async #enqueue(): Promise<void> {
    const { project, queue } = this.#stage;
    const { isPlain, seed, jobs } = this.#options;
    const dir = join(project.dir, 'agents', agentName);
    await mkdir(dir, { recursive: true });
    const text = manifest(isPlain ? timeouts.plain : timeouts.rough);
    await project.write(`agents/${agentName}/agent.yaml`, text);
    const budget = `{ amount: ${this.#amount(1)}, currency: USD }`;
    const config = `broker: ${brokerOf(project)}\nprices: ${pricesText}\nbudgets: { ${budgetName}: ${budget} }\n`;
    await project.write('aiq.config.yaml', config);
    const agent = await loadAgent(agentName, [join(project.dir, 'agents')]);
    const random = randomOf(seed + 1);
    const inputs = Array.from({ length: jobs }, (_, at) => {
      const filler = 'word '.repeat(Math.ceil((random() * textCharsMax) / 5));
      return { text: `Text ${at}. ${filler}` };
    });
    await queue.enqueue(inputs.map((input) => newJobFor(agent, { input })));
  }

  #amount(times: number): string {
    return ((this.#capMicros * times) / 1_000_000).toFixed(6);
  }

  /** Kills for so long at most, and looks until no job moves any more. */
  async #untilRest(unrestMs: number): Promise<Jobs> {
    const { crowd } = this.#stage;
    const { isPlain, killEvery } = this.#options;
    const calm = new AbortController();
    const unrest = isPlain ? null : crowd.unrest(killEvery, calm.signal);
    const startMs = performance.now();
    try {
      for (let same = 0, jobs: Jobs | null = null; ; ) {
        const ms = performance.now() - startMs;
        if (ms > unrestMs) calm.abort();
        if (ms > patienceMs)
          throw new Error(`jobs still move after ${patienceMs} ms: ${JSON.stringify(jobs)}`);
        this.#options.signal.throwIfAborted();
        jobs = await this.#look();
        same = jobs !== null && jobs.ready + jobs.leased + jobs.delayed === 0 ? same + 1 : 0;
        if (jobs !== null && same >= restLooks) return jobs;
        await sleep(lookEveryMs);
      }
    } finally {
      calm.abort();
      await unrest;
    }
  }

  /** The bill first, then the ledger: calls that end meanwhile are in the ledger at least. Null while no broker is there. */
  async #look(): Promise<Jobs | null> {
    const { queue } = this.#stage;
    try {
      const before = this.#stage.reader.read().micros;
      const budget = await this.#budget();
      if (budget === null) return null;
      const after = this.#stage.reader.read().micros;
      this.#check(budget, before, after);
      const [found] = (await queue.stats([agentName])).queues;
      if (found === undefined) return null;
      const { ready, leased, delayed, parked, done, dead } = found;
      const isHeld = budget.heldMicros > 0;
      return {
        ready,
        leased: leased + Number(isHeld && leased === 0),
        delayed,
        parked,
        done,
        dead,
      };
    } catch (error) {
      if (error instanceof AiqError) return null;
      throw error;
    }
  }

  async #budget(): Promise<BudgetState | null> {
    const states = await this.#stage.queue.budgets();
    return states.find(({ terms }) => terms.name === budgetName) ?? null;
  }

  #check(budget: BudgetState, before: number, after: number): void {
    const { amountMicros, settledMicros, heldMicros, unknownMicros } = budget;
    const ledger = settledMicros + heldMicros + unknownMicros;
    this.#looks += 1;
    const wrong = (what: string): void => void this.#problems.add(`look ${this.#looks}: ${what}`);
    if (before > amountMicros) wrong(`${before} are billed, the cap is ${amountMicros}`);
    if (ledger > amountMicros) wrong(`the ledger has ${ledger}, the cap is ${amountMicros}`);
    if (ledger < before) wrong(`${before} are billed, the ledger has ${ledger}`);
    if (settledMicros > after) wrong(`${settledMicros} are settled, ${after} billed`);
  }

  /** As a person sees it. */
  async #counted(): Promise<Counted> {
    const { project, reader } = this.#stage;
    const { stdout } = await project.succeed('--json', 'budgets', 'show', budgetName);
    const { settledMicros, heldMicros, unknownMicros } = JSON.parse(stdout) as Counted;
    return { billedMicros: reader.read().micros, settledMicros, heldMicros, unknownMicros };
  }

  async #checkCap(counted: Counted): Promise<void> {
    const { billedMicros, settledMicros, heldMicros, unknownMicros } = counted;
    const used = this.#options.isPlain ? billedMicros : settledMicros + heldMicros + unknownMicros;
    if (used < usedShareMin * this.#capMicros) {
      this.#problems.add(`${used} of the cap of ${this.#capMicros} are used when nothing fits`);
    }
    const { jobs } = await this.#stage.queue.list({ state: 'parked', limit: 1000 });
    if (jobs.length === 0) this.#problems.add('the cap was never reached');
    const needs = jobs.map(({ errorMessage }) => Number(/needs ([\d.]+),/.exec(errorMessage)?.[1]));
    const most = Math.max(0, ...needs) * 1_000_000;
    if (!(most <= boundShareMax * this.#capMicros)) {
      this.#problems.add(`a call needs ${most}, more than ${boundShareMax} of ${this.#capMicros}`);
    }
  }

  async #checkEnd(jobs: Jobs, counted: Counted): Promise<void> {
    const { project, queue, reader } = this.#stage;
    const { isPlain, jobs: all } = this.#options;
    if (jobs.done + jobs.dead !== all) {
      this.#problems.add(`${jobs.done} are done and ${jobs.dead} dead of ${all}`);
    }
    const { jobs: dead } = await queue.list({ state: 'dead', limit: 1000 });
    for (const { errorCode, errorMessage } of dead) {
      if (errorCode !== 'bad_request') this.#problems.add(`dead: ${errorCode}: ${errorMessage}`);
    }
    const refused = reader.read().fates.get('refused') ?? 0;
    if (isPlain ? dead.length !== refused : dead.length > refused) {
      this.#problems.add(`${dead.length} are dead, ${refused} calls were refused`);
    }
    const { stdout } = await project.succeed('--json', 'costs', '--by', 'agent');
    const costs = JSON.parse(stdout) as Counted;
    const micros = Object.keys(counted).filter(
      (key) => key !== 'billedMicros',
    ) as (keyof Counted)[];
    for (const key of micros) {
      if (costs[key] === counted[key]) continue;
      this.#problems.add(`aiq costs has ${costs[key]} ${key}, aiq budgets show ${counted[key]}`);
    }
    const { billedMicros } = counted;
    if (isPlain && costs.settledMicros !== billedMicros) {
      this.#problems.add(`aiq costs has ${costs.settledMicros}, the bill ${billedMicros}`);
    }
  }
}
