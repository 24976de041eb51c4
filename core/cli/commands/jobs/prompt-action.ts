/** `aiq jobs prompt`: prints the messages that were sent for a job. */

import { type InspectedJob, shortId } from '../../../job-queue/index.ts';
import type { SentCall, SentPrompts } from '../../../runtime/index.ts';
import { CliError } from '../../errors.ts';
import type { ExitName } from '../../exit-codes.ts';
import { findWithContent } from '../../input/job-lookup.ts';
import type { Terminal } from '../../output/terminal.ts';
import type { Session } from '../../session.ts';

/** Prints the messages as they were sent: of the last call, or of all. */
export async function showPrompt(
  session: Session,
  typed: string,
  flags: { readonly all?: boolean },
): Promise<ExitName> {
  const found = await findWithContent(session, typed);
  const sent = await promptsOf(session, found);
  const { terminal } = session;
  if (terminal.json) {
    terminal.result(JSON.stringify(sent, null, 2));
    return 'ok';
  }
  const calls = flags.all === true ? sent.calls : sent.calls.slice(-1);
  const skipped = sent.calls.length - calls.length;
  for (const [index, call] of calls.entries()) {
    const heading = headingOf(call, sent.dropped + skipped + index + 1);
    if (flags.all === true) terminal.result(`==> ${heading}`);
    else terminal.note(heading);
    printMessages(terminal, call);
  }
  if (skipped > 0) terminal.note(`${skipped} earlier calls: aiq jobs prompt ${typed} --all`);
  if (flags.all === true && sent.dropped > 0) {
    terminal.note(`${sent.dropped} older calls are not kept`);
  }
  return 'ok';
}

async function promptsOf(session: Session, { info }: InspectedJob): Promise<SentPrompts> {
  const kept = await (await session.queue()).prompts(info.id);
  if (kept !== null) {
    const { readPrompts, unpackPrompts } = await import('../../../runtime/index.ts');
    return readPrompts(unpackPrompts(kept));
  }
  const { id, state, agent } = info;
  throw new CliError('notFound', `no prompts of job ${shortId(id)} are kept`, [
    `It is ${state}. To preview a prompt: aiq agents render ${agent} <input>`,
  ]);
}

function headingOf(call: SentCall, number: number): string {
  const { at, attempt, provider, model, options, tools, responseSchema } = call;
  const facts = [`call ${number}`, `attempt ${attempt}`, at, provider, model];
  if (Object.keys(options).length > 0) facts.push(JSON.stringify(options));
  if (tools.length > 0) facts.push(`tools ${tools.join(', ')}`);
  if (responseSchema !== null) facts.push(`answer as JSON (${responseSchema})`);
  return facts.join('  ');
}

function printMessages(terminal: Terminal, { messages }: SentCall): void {
  for (const { role, content, toolCalls = [] } of messages) {
    terminal.result(`==> ${role}`);
    if (content !== '') terminal.resultText(content);
    for (const { name, arguments: args } of toolCalls) terminal.result(`${name}(${args})`);
  }
}
