/**
 * What a run asks of the main thread, over threads and processes: plain data both ways. One side asks, the
 * other answers with the services of the run.
 */

import { OutputError } from '../../output/index.ts';
import type { Journal } from '../attempt/journal.ts';
import type { Admission, CallCharge, CallToReserve, Money } from '../attempt/money.ts';
import type { AskedOutputs } from '../attempt/outputs.ts';

/** What a run may ask for. */
export interface Services {
  readonly journal: Journal;
  readonly money: Money;
  readonly outputs: AskedOutputs;
}

type Asked =
  /** To be kept under the hash; asks for what is stored there when the value is null. */
  | {
      readonly of: 'journal';
      readonly callHash: Uint8Array;
      readonly value: Uint8Array | null;
      readonly charge?: CallCharge;
    }
  | { readonly of: 'reserve'; readonly call: CallToReserve }
  | { readonly of: 'charge'; readonly charge: CallCharge }
  | { readonly of: 'prompts'; readonly jobId: string }
  | { readonly of: 'open'; readonly dir: string };

export interface Question {
  readonly type: 'question';
  /** Identified by this number, which the asking side makes. */
  readonly question: number;
  readonly asked: Asked;
}

export interface Answer {
  readonly type: 'answer';
  readonly question: number;
  readonly value: Uint8Array | Admission | null;
  /** What was thrown in place of a value. */
  readonly error: { readonly code: OutputError['code']; readonly message: string } | null;
}

/** Never rejects. */
export async function answerTo({ question, asked }: Question, services: Services): Promise<Answer> {
  try {
    const value = await valueFor(asked, services);
    return { type: 'answer', question, value, error: null };
  } catch (error) {
    const { message } = error as Error;
    const code = error instanceof OutputError ? error.code : 'io';
    return { type: 'answer', question, value: null, error: { code, message } };
  }
}

async function valueFor(
  asked: Asked,
  { journal, money, outputs }: Services,
): Promise<Answer['value']> {
  if (asked.of === 'journal') {
    const { callHash, value, charge } = asked;
    return value === null ? journal.get(callHash) : journal.put(callHash, value, charge);
  }
  if (asked.of === 'reserve') return money.reserve(asked.call);
  if (asked.of === 'charge') await money.charge(asked.charge);
  else if (asked.of === 'prompts') return outputs.prompts(asked.jobId);
  else await outputs.open(asked.dir);
  return null;
}

/** The asking side: its questions are posted, and each waits for its answer. */
export class Questions {
  readonly #post: (question: Question, about: number) => void;
  readonly #open = new Map<number, (answer: Answer) => void>();
  #last = 0;

  /** @param post gets the number of the run beside the question */
  constructor(post: (question: Question, about: number) => void) {
    this.#post = post;
  }

  answered(answer: Answer): void {
    this.#open.get(answer.question)?.(answer);
    this.#open.delete(answer.question);
  }

  /** The services of a run. */
  of(run: number): Services {
    const ask = (asked: Asked): Promise<Answer['value']> => this.#ask(run, asked);
    const bytes = async (asked: Asked): Promise<Uint8Array | null> => {
      const value = await ask(asked);
      return value instanceof Uint8Array ? value : null;
    };
    return {
      journal: {
        get: (callHash) => bytes({ of: 'journal', callHash, value: null }),
        put: async (callHash, value, charge) => {
          const asked = { of: 'journal', callHash, value, ...(charge && { charge }) } as const;
          return (await bytes(asked)) ?? value;
        },
      },
      money: {
        reserve: async (call) => admissionIn(await ask({ of: 'reserve', call })),
        charge: async (charge) => {
          await ask({ of: 'charge', charge });
        },
      },
      outputs: {
        open: async (dir) => {
          await ask({ of: 'open', dir });
        },
        prompts: (jobId) => bytes({ of: 'prompts', jobId }),
      },
    };
  }

  async #ask(run: number, asked: Asked): Promise<Answer['value']> {
    this.#last += 1;
    const question = this.#last;
    const { value, error } = await new Promise<Answer>((resolve) => {
      this.#open.set(question, resolve);
      this.#post({ type: 'question', question, asked }, run);
    });
    if (error !== null) throw new OutputError(error.code, error.message);
    return value;
  }
}

function admissionIn(value: Answer['value']): Admission {
  if (value !== null && !(value instanceof Uint8Array)) return value;
  return { ok: false, reason: 'refused', message: 'there was no answer' };
}
