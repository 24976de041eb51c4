/**
 * From messages to files: asks the model, and up to twice more when its answer does not fit the
 * agent's output, telling it what is wrong.
 */

import { AgentError, type ChatMessage, type RenderedFile } from '../../agent/index.ts';
import { findJson, type Message, type ModelAnswer } from '../../model/index.ts';
import { AttemptError } from './failure.ts';
import type { Turns } from './turns.ts';

export interface Question {
  readonly messages: readonly ChatMessage[];
  /** From messages to an answer, tools included. */
  readonly turns: Turns;
  /** True when the answer has to be JSON. */
  readonly wantsJson: boolean;
  /** Turns the answer's text into files; throws AgentError when it does not fit. */
  readonly render: (answer: string, isLast: boolean) => Promise<RenderedFile[]>;
}

export interface FittingAnswer {
  readonly answer: ModelAnswer;
  readonly files: readonly RenderedFile[];
}

const repairsMax = 2;
/** Pieces of JSON in one answer that are tried. */
const answersMax = 16;
/** How much of a bad answer the model is shown again. */
const shownAnswerMax = 20_000;

/** @throws ModelError, AgentError; AttemptError `output_invalid` when no answer fits */
export async function ask(question: Question): Promise<FittingAnswer> {
  let known: readonly Message[] = question.messages;
  let messages = known;
  for (let repairs = 0; ; repairs++) {
    const { answer, messages: sent } = await question.turns(messages);
    // What tools said stays in front of the model; of its bad answers only the latest does.
    if (sent !== messages) known = sent;
    const rendered = await filesOf(question, answer, repairs === repairsMax);
    if (rendered.ok) return { answer, files: rendered.files };
    const { problem } = rendered;
    if (repairs === repairsMax) throw neverFits(repairs + 1, problem);
    messages = [
      ...known,
      { role: 'assistant', content: answer.text.slice(0, shownAnswerMax) },
      { role: 'user', content: complaint(problem, question.wantsJson) },
    ];
  }
}

type Rendered =
  | { readonly ok: true; readonly files: RenderedFile[] }
  | { readonly ok: false; readonly problem: string };

/** Of several JSON answers in one, exactly one must fit: which one was meant is not for us to say. */
async function filesOf(
  { wantsJson, render }: Question,
  { text }: ModelAnswer,
  isLast: boolean,
): Promise<Rendered> {
  const { texts, isCut } = wantsJson ? findJson(text) : { texts: [text], isCut: false };
  if (isCut) return { ok: false, problem: 'the JSON breaks off before its end' };
  if (texts.length > answersMax) {
    return { ok: false, problem: `there are ${texts.length} pieces of JSON in it; give one` };
  }
  const results: Rendered[] = [];
  for (const found of texts) results.push(await renderedFrom(found, render, isLast));
  const fitting = results.filter(({ ok }) => ok);
  if (fitting.length > 1) {
    return { ok: false, problem: `there are ${fitting.length} different answers in it; give one` };
  }
  return fitting[0] ?? results.at(-1) ?? { ok: false, problem: 'there is no JSON in it' };
}

async function renderedFrom(
  text: string,
  render: Question['render'],
  isLast: boolean,
): Promise<Rendered> {
  try {
    return { ok: true, files: await render(text, isLast) };
  } catch (error) {
    if (!(error instanceof AgentError && error.code === 'output_invalid')) throw error;
    return { ok: false, problem: error.message };
  }
}

function complaint(problem: string, wantsJson: boolean): string {
  const form = wantsJson ? ' Answer with the corrected JSON alone.' : '';
  return `That answer cannot be used:\n${problem}\n\nGive the whole answer again, corrected.${form}`;
}

function neverFits(answers: number, problem: string): AttemptError {
  const message = `none of ${answers} answers fits the agent's output; the last: ${problem}`;
  return new AttemptError('permanent', 'output_invalid', message);
}
