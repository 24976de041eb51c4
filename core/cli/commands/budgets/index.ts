/** The commands of `aiq budgets`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { ExitName } from '../../exit-codes.ts';
import type { RunAction, Session } from '../../session.ts';
import type * as Actions from './budgets-action.ts';

type Work = (actions: typeof Actions, session: Session) => Promise<ExitName>;

export function addBudgets(root: Command, run: RunAction): void {
  const budgets = root.command('budgets').helpCommand(false);
  const act = (work: Work): Promise<void> =>
    run(async (session) => work(await import('./budgets-action.ts'), session));
  budgets
    .command('list')
    .description('List budgets with what is settled, held, unknown and left of each.')
    .addHelpText('after', examplesText([['aiq budgets list'], ['aiq budgets list --json']]))
    .action(() => act(({ listBudgets }, session) => listBudgets(session)));
  budgets
    .command('show')
    .description('Show one budget, and what to do about it.')
    .argument('<budget>', 'Its name.')
    .addHelpText('after', examplesText([['aiq budgets show daily']]))
    .action((name: string) => act(({ showBudget }, session) => showBudget(session, name)));
  budgets
    .command('set')
    .description(
      "Make the broker's budgets those of aiq.config.yaml: all, or those that are named.",
    )
    .argument('[budgets...]', 'Their names.')
    .addHelpText('after', examplesText([['aiq budgets set'], ['aiq budgets set daily']]))
    .action((names: string[]) => act(({ setBudgets }, session) => setBudgets(session, names)));
  budgets
    .command('raise')
    .description('Give a budget another amount from now on; jobs that it makes room for run.')
    .argument('<budget>', 'Its name.')
    .argument('<amount>', 'The new amount, in all: 5, 0.25 or "5 USD".')
    .addHelpText('after', examplesText([['aiq budgets raise daily 5']]))
    .action((name: string, amount: string) =>
      act(({ raiseBudget }, session) => raiseBudget(session, name, amount)),
    );
  budgets
    .command('settle')
    .description('Say what all calls of unknown cost of a budget cost together.')
    .argument('<budget>', 'Its name.')
    .argument('<amount>', 'What your provider billed for them: 0.4, 0 or "0.4 USD".')
    .addHelpText(
      'after',
      examplesText([['aiq budgets settle daily 0.4', 'exits 2 where no cost is unknown']]),
    )
    .action((name: string, amount: string) =>
      act(({ settleBudget }, session) => settleBudget(session, name, amount)),
    );
  budgets
    .command('remove')
    .description('Remove a budget: it binds no call any more, and jobs that wait for it run.')
    .argument('<budget>', 'Its name.')
    .addHelpText('after', examplesText([['aiq budgets remove daily']]))
    .action((name: string) => act(({ removeBudget }, session) => removeBudget(session, name)));
}
