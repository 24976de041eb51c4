/** `aiq agents show`: prints all that is known of an agent. */

import type { Agent, SchemaFlag } from '../../../agent/index.ts';
import type { ExitName } from '../../exit-codes.ts';
import { isHidden } from '../../input/schema-flags.ts';
import { formatElapsed, pathFromHere } from '../../output/format.ts';
import type { Terminal } from '../../output/terminal.ts';
import type { Session } from '../../session.ts';

/** @param reserved flags that no property can have */
export async function showAgent(
  session: Session,
  name: string,
  reserved: ReadonlySet<string>,
): Promise<ExitName> {
  const { flaglessProperties, loadAgent, schemaFlags } = await import('../../../agent/index.ts');
  const { agentPaths, limits } = await session.foundConfig();
  const agent = await loadAgent(name, agentPaths, limits);
  const flags = schemaFlags(agent);
  const { terminal } = session;
  if (terminal.json) {
    terminal.result(JSON.stringify({ ...agent, flags }, null, 2));
    return 'ok';
  }
  const lines = flags.map((flag) =>
    flagLine(isHidden(agent, flag, reserved) ? `--set ${flag.property}=` : `--${flag.flag}`, flag),
  );
  const flagless = flaglessProperties(agent).map((flag) =>
    flagLine(`--set ${flag.property}=`, flag),
  );
  printAgent(terminal, agent, [...lines, ...flagless]);
  return 'ok';
}

function printAgent(terminal: Terminal, agent: Agent, flags: readonly string[]): void {
  for (const [label, value] of facts(agent)) {
    if (value !== '') terminal.result(`${label.padEnd(12)}${value}`);
  }
  printPart(terminal, 'flags', flags.join('\n'));
  printPart(terminal, 'input.schema', JSON.stringify(agent.input.schema, null, 2));
  if (agent.output.schema !== null) {
    printPart(terminal, 'output.schema', JSON.stringify(agent.output.schema, null, 2));
  }
  printPart(terminal, 'instructions', agent.instructions.text);
  printPart(terminal, 'prompt', agent.prompt?.text ?? 'the input as JSON');
  if (agent.output.template !== null) {
    printPart(terminal, 'output.template', agent.output.template.text);
  }
}

function printPart(terminal: Terminal, title: string, text: string): void {
  terminal.result(`==> ${title}`);
  if (text !== '') terminal.resultText(text);
}

function facts(agent: Agent): (readonly [label: string, value: string])[] {
  const { model, limits, retry, output } = agent;
  const delay = `${retry.backoff}, ${formatElapsed(retry.delayMs)} to ${formatElapsed(retry.maxDelayMs)}`;
  return [
    ['name', agent.name],
    ['description', agent.description],
    ['version', agent.version ?? ''],
    ['queue', agent.queue],
    ['from', agent.builtIn ? 'built in' : pathFromHere(agent.file)],
    ['digest', agent.digest],
    ['model', [model.provider, model.id ?? 'the configured one'].filter(Boolean).join(' ')],
    ['options', Object.keys(model.options).length === 0 ? '' : JSON.stringify(model.options)],
    ['primary', agent.input.primary ?? ''],
    ['output', `${output.format} to ${output.file.text}`],
    ['overwrite', output.overwrite],
    ['tools', agent.tools.join(', ')],
    ['knowledge', agent.knowledge.flatMap(({ include }) => include).join(', ')],
    ['limits', limitsText(limits)],
    ['retry', `${retry.attempts} attempts, ${delay}`],
    ['metadata', Object.keys(agent.metadata).length === 0 ? '' : JSON.stringify(agent.metadata)],
  ];
}

function limitsText({ timeoutMs, ...rest }: Agent['limits']): string {
  const others = Object.entries(rest).filter(([, value]) => value !== null);
  const parts = others.map(([name, value]) => `${name} ${String(value)}`);
  return [`timeout ${formatElapsed(timeoutMs)}`, ...parts].join(', ');
}

function flagLine(typed: string, flag: SchemaFlag): string {
  const { type, itemType, required, description } = flag;
  const kind = type === 'array' ? `${itemType ?? 'string'}, may be repeated` : type;
  const values = flag.enum === null ? kind : flag.enum.map(String).join(' | ');
  const presence = required
    ? 'required'
    : flag.default === undefined
      ? ''
      : `default ${JSON.stringify(flag.default)}`;
  return [typed.padEnd(16), [values, presence, description].filter(Boolean).join('; ')]
    .join(' ')
    .trimEnd();
}
