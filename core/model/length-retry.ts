/** What to do with an answer that was cut at its token limit: never accept it, pay for one more try. */

import { finishKind } from './answer/finish.ts';
import { type ModelAnswer, type ModelCall, ModelError } from './model.ts';

/**
 * Makes the call through `call` (which may journal each answer) and, when the answer was cut by
 * length, once more with twice the limit.
 * @throws ModelError `output_truncated` (permanent) when the second answer is cut too
 */
export async function callWithLengthRetry(
  call: (request: ModelCall) => Promise<ModelAnswer>,
  request: ModelCall,
): Promise<ModelAnswer> {
  const first = await call(request);
  if (finishKind(first.finishReason) !== 'length') return first;
  const doubled = 2 * (request.options.maxOutputTokens ?? Math.max(256, first.usage.outputTokens));
  const options = { ...request.options, maxOutputTokens: doubled };
  const second = await call({ ...request, options });
  if (finishKind(second.finishReason) !== 'length') return second;
  throw new ModelError(
    'permanent',
    'output_truncated',
    `The answer was cut at its token limit twice, the second time with a limit of ${doubled} tokens. ` +
      'Raise model.options.maxOutputTokens in agent.yaml, or ask for less.',
  );
}
