/** Rejects complete answers that are no results: filtered, refused, empty or unfinished ones. */

import type { FailureRule } from '../failures/failure-rules.ts';
import { failureOf } from '../failures/failures.ts';
import type { ModelAnswer, ModelError, Provider } from '../model.ts';
import { finishKind } from './finish.ts';
import { isBlank } from './reasoning-block.ts';

/** The answer, or the error with its usage. An answer cut by length is left to the caller. */
export function checkAnswer(
  provider: Provider,
  answer: ModelAnswer,
  refusal: string,
): ModelAnswer | ModelError {
  const problem = problemOf(answer, refusal);
  if (problem === null) return answer;
  const [failure, code, title, detail = ''] = problem;
  const rule: FailureRule = { failure, code, title };
  return failureOf(provider, rule, detail).withUsage(answer.usage);
}

type Problem = readonly [...[FailureRule['failure'], string, string], string?];

function problemOf(
  { finishReason, text, toolCalls }: ModelAnswer,
  refusal: string,
): Problem | null {
  const kind = finishKind(finishReason);
  if (kind === 'length') return null;
  if (kind === 'filtered') {
    return ['permanent', 'content_filter', 'the content filter stopped the answer', finishReason];
  }
  if (refusal !== '' && text === '') return ['permanent', 'refused', 'the model refused', refusal];
  if (toolCalls.length > 0 && kind !== 'other') return null;
  if (kind !== 'whole') {
    const title = 'the answer is not whole: the server ended it with the finish reason';
    return ['transient', 'answer_unfinished', title, JSON.stringify(finishReason)];
  }
  return isBlank(text) ? ['transient', 'empty_answer', 'the answer is empty'] : null;
}
