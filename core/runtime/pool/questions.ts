/**
 * What a run asks of the main thread, over threads and processes: plain data both ways. One side asks, the
 * other answers with the services of the run.
 */

import { OutputError } from '../../output/index.ts';
import type { Journal } from '../attempt/journal.ts';
import type { AskedOutputs } from '../attempt/outputs.ts';

/** What a run may ask for. */
export interface Services {
  readonly journal: Journal;
  readonly outputs: AskedOutputs;
}

type Asked =
  /** To be kept under the hash; asks for what is stored there when the value is null. */
  | { readonly of: 'journal'; readonly callHash: Uint8Array; readonly value: Uint8Array | null }
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
  readonly value: Uint8Array | null;
  /** What was thrown in place of a value. */
  readonly error: { readonly code: OutputError['code']; readonly message: string } | null;
}

/** Never rejects. */
export async function answerTo(
  { question, asked }: Question,
  { journal, outputs }: Services,
): Promise<Answer> {
  const answer = (value: Answer['value']): Answer => {
    return { type: 'answer', question, value, error: null };
  };
  try {
    if (asked.of === 'journal') {
      const { callHash, value } = asked;
      return answer(await (value === null ? journal.get(callHash) : journal.put(callHash, value)));
    }
    if (asked.of === 'prompts') return answer(await outputs.prompts(asked.jobId));
    await outputs.open(asked.dir);
    return answer(null);
  } catch (error) {
    const { message } = error as Error;
    const code = error instanceof OutputError ? error.code : 'io';
    return { type: 'answer', question, value: null, error: { code, message } };
  }
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
    return {
      journal: {
        get: (callHash) => ask({ of: 'journal', callHash, value: null }),
        put: async (callHash, value) => (await ask({ of: 'journal', callHash, value })) ?? value,
      },
      outputs: {
        open: async (dir) => {
          await ask({ of: 'open', dir });
        },
        prompts: (jobId) => ask({ of: 'prompts', jobId }),
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
