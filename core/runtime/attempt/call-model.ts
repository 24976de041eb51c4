/**
 * From an agent and an input to files that may be published: prompt, model, tools, checks. Nothing is
 * published here, and what is bought is counted in the attempt's meter.
 */

import {
  AgentError,
  type ChatMessage,
  type RenderedFile,
  withoutTexts,
} from '../../agent/index.ts';
import {
  type ModelAnswer,
  type ModelCall,
  ModelError,
  promptTruncated,
  withoutFence,
} from '../../model/index.ts';
import { checkCitations, citesKnowledge, type LeftOut } from '../../tools/index.ts';
import { lostText, readJson } from '../../yaml/index.ts';
import { ask } from './ask.ts';
import type { Attempt } from './attempt.ts';
import { AttemptError } from './failure.ts';
import { type MadeCall, ToolCalls } from './tools/tool-calls.ts';
import { createTurns } from './turns.ts';

export interface Answered {
  readonly answer: ModelAnswer;
  readonly files: readonly RenderedFile[];
  readonly toolCalls: readonly MadeCall[];
  /** Files that should have been searched and were not. */
  readonly leftOut: readonly LeftOut[];
}

/** @throws ModelError, AgentError, AttemptError */
export async function callModel(state: Attempt): Promise<Answered> {
  const { tools, ready, input, context } = state;
  const { agent, compiled } = ready;
  const messages = tools.blocking(() => compiled.renderMessages(input, context));
  checkInputSize(state, messages);
  const calls = toolCallsOf(state);
  const { format, schema } = agent.output;
  const answered = await ask({
    messages,
    wantsJson: schema !== null || format === 'json' || format === 'files',
    turns: createTurns({
      request: requestOf(state),
      call: (request) => paidCall(state, request),
      tools: calls,
      stepsMax: agent.limits.maxSteps,
    }),
    render: async (answer, isLast) => {
      const text = format === 'markdown' ? withoutFence(answer) : answer;
      const checked = await withVerifiedCitations(state, { text, isLast, calls });
      const { extractNotice } = state;
      const notice = checked.isAbstention && extractNotice !== null ? '' : extractNotice;
      return tools.blocking(() => compiled.renderOutput(checked.text, input, context, notice));
    },
  });
  return { ...answered, toolCalls: calls?.made ?? [], leftOut: calls?.leftOut ?? [] };
}

function requestOf({ tools, ready }: Attempt): Omit<ModelCall, 'messages'> {
  const { agent, model } = ready;
  const { schema } = agent.output;
  const responseSchema = schema === null ? {} : { responseSchema: { name: agent.name, schema } };
  return {
    model,
    options: agent.model.options,
    ...responseSchema,
    timeoutMs: agent.limits.timeoutMs,
    idleMs: tools.idleMs,
    answerBytesMax: tools.answerBytesMax,
  };
}

async function paidCall(state: Attempt, request: ModelCall): Promise<ModelAnswer> {
  const { ready, meter, paid, signal, money } = state;
  // Asked again, the prompt may lie in a cache that the server does not count.
  const isFirst = paid.answers === 0 && state.request.attempt === 1;
  // Also what an earlier attempt sent, and was answered: it is the very same.
  state.sent.add(ready.provider, request);
  const answer = await paid.answer(request, async () => {
    const gate = money.gateOf(ready);
    try {
      const value = await ready.caller.call(request, signal, gate);
      meter.add(ready.price, value.usage);
      return { value, charge: gate?.answered(value.usage) ?? null };
    } catch (error) {
      if (!(error instanceof ModelError)) state.sent.takeBack();
      else if (error.usage !== null) meter.add(ready.price, error.usage);
      throw error;
    }
  });
  const problem = isFirst ? promptTruncated(request.messages, answer) : null;
  if (problem !== null) throw problem;
  return answer;
}

function toolCallsOf({ tools, ready, request, paid, signal, secrets }: Attempt): ToolCalls | null {
  const { agent, toolSet } = ready;
  if (toolSet === null) return null;
  const { id, attempt } = request;
  // The tools' own name for it: a tool may block the thread like any other code of an agent.
  const blocking = tools.blocking.bind(tools);
  const shown = (text: string): string => withoutTexts(text, secrets);
  return new ToolCalls({
    set: toolSet,
    agent,
    job: { id, attempt },
    signal,
    shown,
    blocking,
    paid,
  });
}

interface GivenAnswer {
  readonly text: string;
  /** No further answer will be asked for: what cannot be verified is dropped. */
  readonly isLast: boolean;
  readonly calls: ToolCalls | null;
}

interface CheckedAnswer {
  readonly text: string;
  /** It says that nothing was found: nothing is extracted then, whichever provider answers. */
  readonly isAbstention: boolean;
}

/** @throws AgentError `output_invalid` when citations cannot be verified and may be asked for again */
async function withVerifiedCitations(
  { ready: { agent } }: Attempt,
  { text, isLast, calls }: GivenAnswer,
): Promise<CheckedAnswer> {
  if (calls === null || !citesKnowledge(agent)) return { text, isAbstention: false };
  const { value, lost } = parsed(text);
  const checked = await checkCitations(value, agent, calls);
  if (checked === null) return { text, isAbstention: false };
  if (checked.problems.length > 0 && !isLast) {
    throw new AgentError('output_invalid', `citations: ${checked.problems.join('; ')}`);
  }
  const [first] = lost;
  if (first !== undefined) {
    throw new AgentError('output_invalid', `${first.path.join('.')} ${lostText(first.text)}`);
  }
  return { text: JSON.stringify(checked.output), isAbstention: checked.output['found'] === false };
}

function parsed(text: string): ReturnType<typeof readJson> {
  try {
    return readJson(text);
  } catch {
    return { value: null, lost: [] };
  }
}

/** Four bytes a token is a rough guess that errs on the side of letting through. */
function checkInputSize({ ready }: Attempt, messages: readonly ChatMessage[]): void {
  const { agent, provider, model } = ready;
  const bytes = messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
  const tokens = Math.ceil(bytes / 4);
  const { maxInputTokens } = agent.limits;
  if (maxInputTokens !== null && tokens > maxInputTokens) {
    throw new AttemptError(
      'permanent',
      'input_too_long',
      `the prompt has about ${tokens} tokens; limits.maxInputTokens of agent "${agent.name}" ` +
        `allows ${maxInputTokens}. Split the input, or raise the limit`,
    );
  }
  const { contextTokens = {} } = provider;
  const window = Object.hasOwn(contextTokens, model) ? contextTokens[model] : undefined;
  const answerTokens = agent.model.options.maxOutputTokens ?? 0;
  if (window === undefined || tokens + answerTokens <= window) return;
  throw new AttemptError(
    'permanent',
    'context_length_exceeded',
    `the prompt has about ${tokens} tokens, the answer may have ${answerTokens}, and model ${model} has room ` +
      `for ${window} (contextTokens of provider ${provider.name}). Shorten the input, or choose a larger model`,
  );
}
