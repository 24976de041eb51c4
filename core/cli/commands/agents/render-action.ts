/** `aiq agents render`: prints the messages that an input would send. */

import { type ChatMessage, compileAgent, hideSecrets, withoutTexts } from '../../../agent/index.ts';
import { CliError, usageError } from '../../errors.ts';
import type { ExitName } from '../../exit-codes.ts';
import { checkInputs, draftCheck, previewContext } from '../../input/check.ts';
import { type Draft, findInputs, type SourceFlags } from '../../input/drafts.ts';
import { readFlagInput } from '../../input/flag-input.ts';
import { agentOf, type Invocation } from '../../input/schema-flags.ts';
import type { Session } from '../../session.ts';

interface RenderFlags extends SourceFlags {
  readonly set?: readonly string[];
  readonly data?: string;
}

/** Prints the messages that the model would be sent. */
export async function renderAgent(
  session: Session,
  invocation: Invocation,
  flags: RenderFlags,
): Promise<ExitName> {
  const agent = agentOf(invocation);
  const bytesMax = (await session.config()).limits.inputBytesMax;
  const fromFlags = await readFlagInput(agent, invocation.flags, flags, bytesMax);
  const inputs = await findInputs(agent, fromFlags.input, flags, {
    bytesMax,
    confirm: refuseMany,
    note: (line) => session.terminal.note(line),
  });
  const compiled = await compileAgent(agent);
  const checked: Draft[] = [];
  await checkInputs(agent, inputs, {
    check: draftCheck(compiled),
    flagProblems: fromFlags.problems,
    take: (good) => checked.push(good),
  });
  const [draft] = checked;
  if (draft === undefined) throw new CliError('invalid', 'no input to render');
  const context = previewContext(agent, draft.source);
  const { secrets } = hideSecrets(agent.input.schema, draft.input);
  const hide = (text: string): string => withoutTexts(text, secrets);
  const messages = compiled
    .renderMessages(draft.input, context)
    .map(({ role, content }) => ({ role, content: hide(content) }));
  const path = compiled.renderPath(draft.input, context);
  printMessages(session, messages, path === null ? null : hide(path));
  return 'ok';
}

function refuseMany(files: number): Promise<void> {
  if (files <= 1) return Promise.resolve();
  return Promise.reject(usageError(`render takes one input, but ${files} were given`));
}

function printMessages(
  { terminal }: Session,
  messages: readonly ChatMessage[],
  path: string | null,
): void {
  if (terminal.json) {
    terminal.result(JSON.stringify({ messages, path }, null, 2));
    return;
  }
  for (const { role, content } of messages) {
    terminal.result(`==> ${role}`);
    terminal.resultText(content);
  }
  terminal.note(path === null ? 'the output path depends on the answer' : `would write ${path}`);
}
