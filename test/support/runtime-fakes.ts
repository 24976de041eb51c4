/** Agents, leases and a queue made by hand, for tests of the runtime. */

import { EventEmitter, once } from 'node:events';
import type { Agent } from '../../core/agent/index.ts';
import type {
  BudgetTerms,
  CallBound,
  Charge,
  ConsumeOptions,
  Consumer,
  Job,
  JobQueue,
  LeasedJob,
  QueueInfo,
  Reserved,
  Settle,
  Settled,
} from '../../core/job-queue/index.ts';
import { plainJob } from '../../core/protocol/index.ts';
import type { Journal } from '../../core/runtime/attempt/journal.ts';
import type {
  Admission,
  CallCharge,
  CallToReserve,
  Money,
} from '../../core/runtime/attempt/money.ts';
import type { Services } from '../../core/runtime/pool/questions.ts';
import type { ThreadAgent } from '../../core/runtime/pool/thread-messages.ts';

type AgentParts = Partial<Omit<Agent, 'limits' | 'output' | 'retry'>> & {
  limits?: Partial<Agent['limits']>;
  output?: Partial<Agent['output']>;
  retry?: Partial<Agent['retry']>;
};

/** A working agent that writes `<source>.md`. */
export function agentOf({ limits, output, retry, ...parts }: AgentParts = {}): Agent {
  const source = (text: string) => ({ text, file: '/agents/echo/agent.yaml', line: 1 });
  return {
    name: 'echo',
    description: 'Echoes.',
    version: '1.0.0',
    queue: parts.name ?? 'echo',
    digest: 'ab'.repeat(32),
    dir: '/agents/echo',
    file: '/agents/echo/agent.yaml',
    builtIn: false,
    model: { id: null, provider: null, options: {} },
    instructions: source('Echo the text.'),
    prompt: source('{{input.text}}'),
    input: {
      schema: {
        type: 'object',
        additionalProperties: false,
        required: ['text'],
        properties: { text: { type: 'string', minLength: 1 } },
      },
      primary: 'text',
      schemaLine: 1,
    },
    output: {
      format: 'text',
      schema: null,
      file: source('{{job.source}}.md'),
      template: null,
      overwrite: 'number',
      extracts: true,
      trim: false,
      ...output,
    },
    tools: [],
    knowledge: [],
    limits: {
      timeoutMs: 20_000,
      concurrency: null,
      requestsPerMinute: null,
      tokensPerMinute: null,
      maxSteps: 10,
      maxInputTokens: null,
      maxCost: null,
      ...limits,
    },
    retry: { attempts: 4, backoff: 'exponential', delayMs: 10, maxDelayMs: 50, ...retry },
    metadata: {},
    ...parts,
  };
}

export function threadAgentOf(parts: AgentParts = {}): ThreadAgent {
  return {
    agent: agentOf(parts),
    model: 'test-model',
    price: null,
    outputTokensMax: null,
    rates: null,
    provider: {
      name: 'test',
      kind: 'compatible',
      baseURL: 'http://127.0.0.1:1/v1',
      apiKey: 'none',
      defaultModel: 'test-model',
    },
  };
}

let lastJob = 0;

type LeaseParts = Partial<Omit<LeasedJob, 'job'>> & { job?: Partial<Job> };

/** A lease that is good for a minute, of a job that nobody had before. */
export function leaseOf(parts: LeaseParts = {}): LeasedJob {
  lastJob += 1;
  const id = parts.job?.id ?? `job${lastJob}`;
  return {
    token: { id, epoch: 1, delivery: 1 },
    attempt: 1,
    crashes: 0,
    isolated: false,
    enqueuedAtMs: 0,
    deadlineMs: performance.now() + 60_000,
    ...parts,
    job: {
      id,
      queue: 'echo',
      digest: new Uint8Array(16),
      body: Buffer.from(JSON.stringify({ input: { text: 'hello' } })),
      agent: 'echo',
      agentDigest: new Uint8Array(32),
      source: id,
      createdAtMs: 0,
      ...plainJob,
      ...parts.job,
    },
  };
}

export interface FakeConsumer extends Consumer {
  readonly options: ConsumeOptions;
  readonly settled: { leased: LeasedJob; settle: Settle }[];
  readonly credits: number[];
  closed: boolean;
  settling: (leased: LeasedJob, settle: Settle) => Promise<Settled>;
  readonly reserved: CallBound[];
  reserving: (call: CallBound) => Promise<Reserved>;
  /** Those that came with entries of the journal, and those that came alone. */
  readonly kept: Charge[];
  readonly charged: Charge[];
  charging: (charges: readonly Charge[]) => Promise<void>;
}

export interface FakeJournal extends Journal {
  /** By hash in hex. */
  readonly entries: Map<string, Uint8Array>;
  /** `get` and `put`, in order. */
  readonly asked: string[];
  /** Those that came with entries. */
  readonly charges: CallCharge[];
}

/** The journal of one job, in memory. */
export function fakeJournal(): FakeJournal {
  const entries = new Map<string, Uint8Array>();
  const asked: string[] = [];
  const charges: CallCharge[] = [];
  const keyOf = (callHash: Uint8Array): string => Buffer.from(callHash).toString('hex');
  return {
    entries,
    asked,
    charges,
    async get(callHash) {
      asked.push('get');
      return entries.get(keyOf(callHash)) ?? null;
    },
    async put(callHash, value, charge) {
      asked.push('put');
      if (charge !== undefined) charges.push(charge);
      const stands = entries.get(keyOf(callHash)) ?? value;
      entries.set(keyOf(callHash), stands);
      return stands;
    },
  };
}

export interface FakeMoney extends Money {
  readonly reserved: CallToReserve[];
  readonly charged: CallCharge[];
  admission: (call: CallToReserve) => Promise<Admission>;
}

/** The money of one run: there is room for all calls until the test says otherwise. */
export function fakeMoney(): FakeMoney {
  const money: FakeMoney = {
    reserved: [],
    charged: [],
    admission: async () => ({ ok: true }),
    reserve(call) {
      money.reserved.push(call);
      return money.admission(call);
    },
    charge: async (charge) => void money.charged.push(charge),
  };
  return money;
}

/** What a run may ask for: of a folder that has nothing and takes anything. */
export function fakeServices(
  journal: Journal = fakeJournal(),
  money: Money = fakeMoney(),
): Services {
  return {
    journal,
    money,
    outputs: {
      open: async () => undefined,
      prompts: async () => null,
    },
  };
}

/** A queue whose deliveries the test makes. Emits `settled` on its events. */
export function fakeQueue() {
  const consumers: FakeConsumer[] = [];
  const events = new EventEmitter();
  const stats: Partial<QueueInfo>[] = [];
  const budgets: BudgetTerms[] = [];
  const consume = async (options: ConsumeOptions): Promise<Consumer> => {
    const consumer: FakeConsumer = {
      options,
      settled: [],
      credits: [],
      closed: false,
      settling: async (_, { outcome }) => ({
        ok: true,
        state: outcome === 'ack' ? 'done' : 'ready',
      }),
      setCredit: (credit) => void consumer.credits.push(credit),
      settle: async (leased, settle) => {
        consumer.settled.push({ leased, settle });
        const answer = await consumer.settling(leased, settle);
        events.emit('settled');
        return answer;
      },
      reserved: [],
      reserving: async () => ({ ok: true }),
      kept: [],
      charged: [],
      charging: async () => undefined,
      journalPut: async (_, callHash, value, charge) => {
        const stored = await queue.journalPut(callHash, value);
        if (charge !== undefined) consumer.kept.push(charge);
        return stored;
      },
      reserve: (_, call) => {
        consumer.reserved.push(call);
        return consumer.reserving(call);
      },
      charge: async (charges) => {
        await consumer.charging(charges);
        consumer.charged.push(...charges);
      },
      close: async () => {
        consumer.closed = true;
      },
    };
    consumers.push(consumer);
    return consumer;
  };
  const journal = fakeJournal();
  const queue = {
    address: 'fake:',
    sharedBy: 'user' as const,
    consume,
    stats: async () => ({ queues: stats }),
    written: async () => undefined,
    prompts: async () => null,
    unwrittenFolders: async () => [],
    budgets: async () => budgets.map((terms) => ({ terms })),
    setBudgets: async (added: readonly BudgetTerms[]) => {
      const names = added.map(({ name }) => name);
      budgets.splice(0, Infinity, ...budgets.filter(({ name }) => !names.includes(name)), ...added);
    },
    removeBudgets: async (names: readonly string[]) => {
      budgets.splice(0, Infinity, ...budgets.filter(({ name }) => !names.includes(name)));
    },
    journalGet: async (_: string, callHash: Uint8Array) => journal.get(callHash),
    journalPut: (callHash: Uint8Array, value: Uint8Array) => journal.put(callHash, value),
  };
  return {
    queue: queue as unknown as JobQueue,
    journal,
    consumers,
    stats,
    budgets,
    settledCount: async (count: number): Promise<void> => {
      while (consumers.reduce((sum, one) => sum + one.settled.length, 0) < count) {
        await once(events, 'settled');
      }
    },
  };
}
