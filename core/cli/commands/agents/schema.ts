/** `aiq agents schema`: flags, help and action. */

import type { Command } from 'commander';
import { usageError } from '../../errors.ts';
import { examplesText } from '../../examples.ts';
import type { ExitName } from '../../exit-codes.ts';
import type { RunAction, Session } from '../../session.ts';

export function addSchema(agents: Command, run: RunAction): void {
  agents
    .command('schema')
    .description("Print the JSON Schema of agent.yaml, or of an agent's input.")
    .option('--agent', 'The schema of agent.yaml (the default).')
    .option('--input <agent>', "The schema of this agent's input.")
    .addHelpText(
      'after',
      examplesText([
        ['aiq agents schema > agent.schema.json'],
        ['aiq agents schema --input summarize'],
      ]),
    )
    .action((options) => run((session) => printSchema(session, options)));
}

interface SchemaFlags {
  readonly agent?: boolean;
  readonly input?: string;
}

async function printSchema(session: Session, { agent, input }: SchemaFlags): Promise<ExitName> {
  if (agent === true && input !== undefined) {
    throw usageError('--agent and --input cannot be used together');
  }
  const { terminal } = session;
  if (input === undefined) {
    const { packagedSchema } = await import('../../schema-reference.ts');
    terminal.resultText(await packagedSchema('agent.schema.json'));
    return 'ok';
  }
  const { loadAgent } = await import('../../../agent/index.ts');
  const { schema } = (await loadAgent(input, (await session.foundConfig()).agentPaths)).input;
  terminal.resultText(JSON.stringify(schema, null, 2));
  return 'ok';
}
