/** `aiq queues pause` and `aiq queues resume`: flags, help and actions. */

import type { Command } from 'commander';
import type { JobQueue } from '../../../job-queue/index.ts';
import { examplesText } from '../../examples.ts';
import type { RunAction, Session } from '../../session.ts';

export function addPause(queues: Command, run: RunAction): void {
  queues
    .command('pause')
    .description('Stop deliveries of a queue until it is resumed; running jobs finish.')
    .argument('<queue>', 'Its name.')
    .addHelpText('after', examplesText([['aiq queues pause summarize']]))
    .action((name: string) =>
      run(async (session) => {
        await change(session, name, (queue) => queue.pause(name));
        session.terminal.note(
          `paused ${name}; it still accepts jobs. Resume: aiq queues resume ${name}`,
        );
        return 'ok';
      }),
    );
}

export function addResume(queues: Command, run: RunAction): void {
  queues
    .command('resume')
    .description('Resume deliveries of a paused queue.')
    .argument('<queue>', 'Its name.')
    .addHelpText('after', examplesText([['aiq queues resume summarize']]))
    .action((name: string) =>
      run(async (session) => {
        await change(session, name, (queue) => queue.resume(name));
        session.terminal.note(`resumed ${name}`);
        return 'ok';
      }),
    );
}

/** Changes a queue that exists and, with `--json`, prints it afterwards. */
async function change(
  session: Session,
  name: string,
  perform: (queue: JobQueue) => Promise<void>,
): Promise<void> {
  const { findQueue } = await import('../../output/queue-view.ts');
  await findQueue(session, name);
  await perform(await session.queue());
  if (!session.terminal.json) return;
  const info = await findQueue(session, name);
  session.terminal.result(JSON.stringify(info, null, 2));
}
