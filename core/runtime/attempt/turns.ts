/**
 * The turns of one attempt: the model is called, its tool calls are answered, and so on until it
 * answers without one. The number of calls is bounded, and the last one has to be the answer.
 */

import {
  callWithLengthRetry,
  type Message,
  type ModelAnswer,
  type ModelCall,
  type ToolCall,
} from '../../model/index.ts';
import { AttemptError } from './failure.ts';
import { callsPerTurnMax, type ToolCalls } from './tools/tool-calls.ts';

export interface TurnsOptions {
  /** The call without its messages. */
  readonly request: Omit<ModelCall, 'messages'>;
  readonly call: (request: ModelCall) => Promise<ModelAnswer>;
  /** Null for an agent without tools: every answer is final then. */
  readonly tools: ToolCalls | null;
  /** `limits.maxSteps`: model calls in the attempt until there has to be an answer. */
  readonly stepsMax: number;
}

export interface FinalAnswer {
  readonly answer: ModelAnswer;
  /** What was sent, with the tool calls and their results that came before the answer. */
  readonly messages: readonly Message[];
}

export type Turns = (messages: readonly Message[]) => Promise<FinalAnswer>;

const lastWord: Message = {
  role: 'user',
  content: 'No further tool calls are possible. Give your final answer now, from what you have.',
};

/**
 * Steps count over all conversations of the attempt. When they are used up, each further one has
 * a single call, without tools.
 * @throws ModelError; AttemptError `too_many_steps` for a model that still wants tools then
 */
export function createTurns({ request, call, tools, stepsMax }: TurnsOptions): Turns {
  let steps = 0;
  return async (first) => {
    let messages = first;
    for (;;) {
      steps += 1;
      const isLast = steps >= stepsMax;
      const answer = await callWithLengthRetry(call, {
        ...request,
        ...(tools === null ? {} : { tools: tools.definitions }),
        ...(tools !== null && isLast ? { toolChoice: 'none' as const } : {}),
        messages: messages.at(-1)?.role === 'tool' && isLast ? [...messages, lastWord] : messages,
      });
      const { toolCalls, text } = answer;
      if (tools === null || toolCalls.length === 0) return { answer, messages };
      if (isLast) throw tooManySteps(stepsMax);
      // What is not done is not reported either: thousands of calls would only be paid for again.
      const done = toolCalls.slice(0, callsPerTurnMax);
      const asked: Message = { role: 'assistant', content: text, toolCalls: done };
      messages = [...messages, asked, ...(await tools.answer(done))];
      if (toolCalls.length > callsPerTurnMax) messages = [...messages, tooManyAtOnce(toolCalls)];
    }
  };
}

function tooManyAtOnce({ length }: readonly ToolCall[]): Message {
  const content =
    `Only ${callsPerTurnMax} tool calls can be made at once: the results of the first ${callsPerTurnMax} ` +
    `are above, the other ${length - callsPerTurnMax} were not made.`;
  return { role: 'user', content };
}

function tooManySteps(stepsMax: number): AttemptError {
  const message =
    `the model still wanted tools after ${stepsMax} calls (limits.maxSteps), ` +
    'though it was asked for its answer without them';
  return new AttemptError('permanent', 'too_many_steps', message);
}
