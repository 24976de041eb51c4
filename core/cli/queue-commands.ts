/** The commands of queues and park keys: `queues`, `signal`. */

import type { Command } from 'commander';
import { examplesText } from './examples.ts';
import type { Act } from './session.ts';

export function addQueues(root: Command, act: Act): void {
  const queues = root
    .command('queues')
    .helpCommand(false)
    .description('Look at queues, pause them, and clear them.');
  queues
    .command('list')
    .description('List the queues with their jobs by state.')
    .addHelpText('after', examplesText([['aiq queues list'], ['aiq queues list --json']]))
    .action(() =>
      act(async (session) => (await import('./commands/queues.ts')).listQueues(session)),
    );
  queues
    .command('show')
    .description('Show one queue.')
    .argument('<queue>', 'Its name: that of its agent, unless the agent names another.')
    .addHelpText('after', examplesText([['aiq queues show summarize']]))
    .action((name: string) =>
      act(async (session) => (await import('./commands/queues.ts')).showQueue(session, name)),
    );
  addQueueOperations(queues, act);
}

function addQueueOperations(queues: Command, act: Act): void {
  queues
    .command('pause')
    .description('Deliver nothing of a queue until it is resumed; running jobs are finished.')
    .argument('<queue>', 'Its name.')
    .addHelpText('after', examplesText([['aiq queues pause summarize']]))
    .action((name: string) =>
      act(async (session) => (await import('./commands/queues.ts')).pauseQueue(session, name)),
    );
  queues
    .command('resume')
    .description('Deliver the jobs of a paused queue again.')
    .argument('<queue>', 'Its name.')
    .addHelpText('after', examplesText([['aiq queues resume summarize']]))
    .action((name: string) =>
      act(async (session) => (await import('./commands/queues.ts')).resumeQueue(session, name)),
    );
  queues
    .command('set')
    .description('Give a queue limits and retention of its own; what is not named stays.')
    .argument('<queue>', 'Its name.')
    .option('--max-jobs <n>', 'Most unfinished jobs; 0 for the limit of the broker.')
    .option('--max-bytes <size>', 'Most bytes of them, such as 500MiB; 0 for that of the broker.')
    .option('--keep <duration>', 'How long finished jobs are kept; 0 for the time of the broker.')
    .option('--keep-jobs <n>', 'How many finished jobs are kept; 0 for the number of the broker.')
    .addHelpText('after', examplesText([['aiq queues set summarize --max-jobs 10000 --keep 7d']]))
    .action((name: string, options) =>
      act(async (session) =>
        (await import('./commands/set-queue.ts')).setQueue(session, name, options),
      ),
    );
  queues
    .command('purge')
    .description('Cancel all jobs of a queue that wait. Asks first, at a terminal.')
    .argument('<queue>', 'Its name.')
    .option('-y, --yes', 'Do not ask; needed elsewhere than at a terminal.')
    .addHelpText('after', examplesText([['aiq queues purge summarize --yes']]))
    .action((name: string, options) =>
      act(async (session) =>
        (await import('./commands/queues.ts')).purgeQueue(session, name, options),
      ),
    );
}

export function addSignal(root: Command, act: Act): void {
  root
    .command('signal')
    .description('Make every job ready that is parked on a key.')
    .argument('<key>', 'The key, as enqueue --park-key took it.')
    .addHelpText('after', examplesText([['aiq signal approval:7']]))
    .action((key: string) =>
      act(async (session) => (await import('./commands/signal.ts')).signal(session, key)),
    );
}
