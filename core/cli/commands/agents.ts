/** `aiq agents list | validate | render`. */

import {
  type Agent,
  type BrokenAgent,
  type ChatMessage,
  compileAgent,
  discoverAgents,
  formatProblem,
  hideSecrets,
  loadAgent,
  schemaFlags,
  shadowsShipped,
  withoutTexts,
} from '../../agent/index.ts';
import { discoverUsable, inPlace } from '../agent-files.ts';
import { agentProblems } from '../agent-problems.ts';
import { CliError, usageError } from '../errors.ts';
import type { ExitName } from '../exit-codes.ts';
import { checkDrafts, draftCheck, previewContext } from '../input/check.ts';
import { makeDrafts, type SourceFlags } from '../input/drafts.ts';
import { readFlagInput } from '../input/flag-input.ts';
import { pathFromHere } from '../paths.ts';
import { type Invocation, isHidden } from '../schema-flags.ts';
import type { Session } from '../session.ts';
import { formatTable } from '../table.ts';
import { outputWidth, type Terminal } from '../terminal.ts';
import { agentOf } from './enqueue.ts';

export async function listAgents(session: Session): Promise<ExitName> {
  const { agents, broken } = await discoverUsable(session, 'read');
  const { terminal } = session;
  if (terminal.json) {
    for (const agent of agents) terminal.result(JSON.stringify(agentJson(agent)));
    for (const agent of broken) terminal.result(JSON.stringify(agent));
    return 'ok';
  }
  const rows = [...agents.map(agentRow), ...broken.map(brokenRow)].sort(byName);
  for (const line of formatTable(['NAME', 'QUEUE', 'FROM', 'DESCRIPTION'], rows, outputWidth())) {
    terminal.result(line);
  }
  return 'ok';
}

function byName([left = '']: readonly string[], [right = '']: readonly string[]): number {
  return left < right ? -1 : 1;
}

function agentRow(agent: Agent): string[] {
  const dir = pathFromHere(agent.dir);
  const from = agent.builtIn ? 'built in' : shadowsShipped(agent) ? `${dir} (${inPlace})` : dir;
  return [agent.name, agent.queue, from, agent.description];
}

function brokenRow({ name, file, problems }: BrokenAgent): string[] {
  const [first] = problems;
  const reason = first === undefined ? 'broken' : `broken: ${formatProblem(first)}`;
  return [name, '-', pathFromHere(file), reason];
}

function agentJson({
  name,
  queue,
  description,
  version,
  file,
  builtIn,
  digest,
  input,
}: Agent): unknown {
  const shadows = shadowsShipped({ name, builtIn });
  const inputSchema = input.schema;
  return { name, queue, description, version, file, builtIn, shadows, digest, inputSchema };
}

/**
 * Prints every finding, and nothing on standard output when all is well.
 * @param reserved flags that no property can have
 */
export async function validateAgents(
  session: Session,
  names: readonly string[],
  reserved: ReadonlySet<string>,
): Promise<ExitName> {
  const { agentPaths, limits } = await session.foundConfig();
  const found = await discoverAgents(agentPaths, limits);
  const isWanted = ({ name }: { name: string }): boolean =>
    names.length === 0 || names.includes(name);
  await refuseUnknown(session, names, [...found.agents, ...found.broken]);
  const agents = found.agents.filter(isWanted);
  const problems = found.broken.filter(isWanted).flatMap((broken) => broken.problems);
  for (const agent of agents) problems.push(...(await agentProblems(agent)));
  const { terminal } = session;
  for (const agent of agents) warnOfReserved(terminal, agent, reserved);
  for (const problem of problems) {
    terminal.result(terminal.json ? JSON.stringify(problem) : formatProblem(problem));
  }
  if (problems.length > 0) return 'invalid';
  terminal.note(`ok: ${agents.map(({ name }) => name).join(', ')}`);
  return 'ok';
}

/** No fault: the property works, but its flag is ours. */
function warnOfReserved(terminal: Terminal, agent: Agent, reserved: ReadonlySet<string>): void {
  const place = `${pathFromHere(agent.file)}:${agent.input.schemaLine}`;
  for (const known of schemaFlags(agent)) {
    if (!isHidden(agent, known, reserved)) continue;
    const { flag, property } = known;
    terminal.warn(
      `${place}: --${flag} is a flag of aiq itself; "${property}" is given with --set ${property}=…`,
    );
  }
}

/** @throws UnknownAgentError for the first name that no folder has */
export async function refuseUnknown(
  session: Session,
  names: readonly string[],
  known: readonly { readonly name: string }[],
): Promise<void> {
  const missing = names.find((name) => !known.some((agent) => agent.name === name));
  if (missing === undefined) return;
  await loadAgent(missing, (await session.foundConfig()).agentPaths);
}

interface RenderFlags extends SourceFlags {
  readonly set?: readonly string[];
  readonly data?: string;
}

/** Shows what the model would be sent. */
export async function renderAgent(
  session: Session,
  invocation: Invocation,
  flags: RenderFlags,
): Promise<ExitName> {
  const agent = agentOf(invocation);
  const bytesMax = (await session.config()).limits.inputBytesMax;
  const fromFlags = await readFlagInput(agent, invocation.flags, flags, bytesMax);
  const drafts = await makeDrafts(agent, fromFlags.input, flags, {
    bytesMax,
    confirm: refuseMany,
    note: (line) => session.terminal.note(line),
  });
  const compiled = await compileAgent(agent);
  const [draft] = checkDrafts(agent, drafts, draftCheck(compiled), fromFlags.problems);
  if (draft === undefined) throw new CliError('invalid', 'there is no input to render');
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
  return Promise.reject(usageError(`render shows one input, but ${files} were given`));
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
