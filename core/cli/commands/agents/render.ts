/** `aiq agents render`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import { addInputFlags, type Invocation, prepareInputs } from '../../input/schema-flags.ts';
import type { RunAction, Session } from '../../session.ts';

export function addRender(agents: Command, session: () => Session, run: RunAction): void {
  const invocation: Invocation = { agent: null, flags: [] };
  const render = agents
    .command('render')
    .description('Print the messages that an input would send; calls nothing.')
    .argument('<agent>', 'Name of the agent.')
    .argument('[inputs...]', 'One file, or - for standard input.');
  addInputFlags(render)
    .addHelpText('after', examplesText([['aiq agents render summarize article.txt']]))
    .action((_agent: string, inputs: string[], options) =>
      run(async (current) => {
        const { renderAgent } = await import('./render-action.ts');
        return renderAgent(current, invocation, { ...options, inputs });
      }),
    );
  agents.hook('preSubcommand', async (parent, sub) => {
    if (sub === render) await prepareInputs(render, parent.args.slice(1), session(), invocation);
  });
}
