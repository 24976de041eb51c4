/** Completion candidates at the cursor: commands, flags, names, values. None means a file. */

import type { Argument, Command, Option } from 'commander';
import type { SchemaFlag } from '../../../agent/index.ts';
import type { Session } from '../../session.ts';
import { helpTopics } from '../help-topics.ts';
import { type Cursor, locateCursor, optionsOf } from './cursor.ts';
import { agentNames, budgetNames, type Candidate, jobIds, queueNames } from './names.ts';

/** @param words those behind the program's name; the last one is completed */
export async function candidatesFor(
  root: Command,
  words: readonly string[],
  session: Session,
): Promise<Candidate[]> {
  const cursor = locateCursor(root, words.slice(0, -1));
  const { option } = cursor;
  if (option !== null) return valuesOf(option, session);
  const flags = await agentFlags(cursor, session);
  const before = flags.find(({ flag }) => `--${flag}` === cursor.unknownFlag);
  if (before !== undefined && before.type !== 'boolean') return valuesOfFlag(before);
  const typed = words.at(-1) ?? '';
  if (typed.startsWith('-') && !cursor.operandsOnly) return flagsAt(cursor.command, flags);
  return operandsAt(cursor, session);
}

const plain = (value: string): Candidate => ({ value, description: '' });

/** The flags of the agent whose input the command takes, once its name was typed. */
async function agentFlags(
  { command, operands }: Cursor,
  session: Session,
): Promise<readonly SchemaFlag[]> {
  const [name] = operands;
  const takesInput = command.registeredArguments.some((argument) => argument.name() === 'inputs');
  if (name === undefined || !takesInput) return [];
  const { loadAgent, schemaFlags } = await import('../../../agent/index.ts');
  return schemaFlags(await loadAgent(name, (await session.config()).agentPaths));
}

function valuesOfFlag({ enum: values }: SchemaFlag): Candidate[] {
  return (values ?? []).map((value) => plain(String(value)));
}

function flagsAt(command: Command, flags: readonly SchemaFlag[]): Candidate[] {
  const own = optionsOf(command)
    .filter((option) => !option.hidden)
    .map(({ long, description }) => ({ value: long ?? '', description }));
  const ofAgent = flags
    .map(({ flag, description }) => ({ value: `--${flag}`, description }))
    .filter(({ value }) => !own.some((option) => option.value === value));
  return [...ofAgent, ...own, { value: '--help', description: 'Show help.' }];
}

async function valuesOf(option: Option, session: Session): Promise<Candidate[]> {
  if (option.argChoices !== undefined) return option.argChoices.map(plain);
  switch (option.attributeName()) {
    case 'agent':
    case 'agents':
    case 'from':
      return agentNames(session);
    case 'queue':
      return queueNames(session);
    case 'provider': {
      const { providers } = await session.config();
      return ['auto', 'openai', 'local', 'offline', ...Object.keys(providers)].map(plain);
    }
    case 'input':
      return option.flags.includes('<agent>') ? agentNames(session) : [];
    default:
      return [];
  }
}

async function operandsAt({ command, operands }: Cursor, session: Session): Promise<Candidate[]> {
  const subcommands = command.commands.filter((sub) => !sub.name().startsWith('__'));
  if (subcommands.length > 0) {
    return subcommands.map((sub) => ({ value: sub.name(), description: sub.description() }));
  }
  const known = command.registeredArguments;
  const argument = known[operands.length] ?? known.findLast(({ variadic }) => variadic);
  return argument === undefined ? [] : valuesOfArgument(command, argument, session);
}

function valuesOfArgument(
  command: Command,
  argument: Argument,
  session: Session,
): Promise<Candidate[]> {
  if (argument.argChoices !== undefined) return Promise.resolve(argument.argChoices.map(plain));
  switch (argument.name()) {
    case 'agent':
    case 'names':
      return agentNames(session);
    case 'queue':
      return queueNames(session);
    case 'budget':
    case 'budgets':
      return budgetNames(session);
    case 'id':
    case 'ids':
    case 'job':
      return jobIds(session, command);
    case 'topic':
      return Promise.resolve(Object.keys(helpTopics).map(plain));
    default:
      return Promise.resolve([]);
  }
}
