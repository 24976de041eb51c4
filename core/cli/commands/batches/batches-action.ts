/** `aiq batches`: shows what was enqueued together, and goes on with what was stopped. */

import type { BatchState } from '../../../job-queue/index.ts';
import type { ExitName } from '../../exit-codes.ts';
import { formatTable } from '../../output/format.ts';
import { outputWidth } from '../../output/terminal.ts';
import type { Session } from '../../session.ts';

export async function listBatches(session: Session): Promise<ExitName> {
  const batches = await (await session.queue()).batches();
  const { terminal } = session;
  if (terminal.json) for (const batch of batches) terminal.result(JSON.stringify(batch));
  else if (batches.length === 0) terminal.note('no batches: aiq enqueue makes one');
  else
    for (const line of formatTable(titles, batches.map(cells), outputWidth()))
      terminal.result(line);
  return 'ok';
}

const titles = ['BATCH', 'WAITING', 'RUNNING', 'PARKED', 'DONE', 'DEAD', 'CANCELLED', 'STOPPED'];

function cells({ name, counts, stopped }: BatchState): string[] {
  const { ready, delayed, leased, parked, done, dead, cancelled } = counts;
  const numbers = [ready + delayed, leased, parked, done, dead, cancelled];
  return [name, ...numbers.map(String), stopped ?? '-'];
}

export async function resumeBatch(session: Session, name: string): Promise<ExitName> {
  const queue = await session.queue();
  await queue.resumeBatch(name);
  const { terminal } = session;
  if (terminal.json) terminal.result(JSON.stringify({ resumed: name }));
  else terminal.note(`batch ${name} goes on`);
  return 'ok';
}
