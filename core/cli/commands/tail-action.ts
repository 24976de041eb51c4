/** `aiq tail`: every change of a job's state as it happens, one line each. */

import {
  describeJob,
  type JobInfo,
  shortId,
  stateWord,
  supersededBy,
} from '../../job-queue/index.ts';
import { usageError } from '../errors.ts';
import type { ExitName } from '../exit-codes.ts';
import { findJob } from '../input/job-lookup.ts';
import { madeText } from '../output/extract-text.ts';
import { oneLine } from '../output/format.ts';
import { failureOf } from '../output/job-view.ts';
import { findQueue } from '../output/queue-view.ts';
import type { Style, Terminal } from '../output/terminal.ts';
import type { Session } from '../session.ts';
import { exitOfSignal, onStopSignals } from '../signals.ts';
import { exitOfFinished } from '../wait.ts';

export interface TailFlags {
  readonly queue?: readonly string[];
  readonly untilEmpty?: boolean;
}

/** Ends by a signal, with `--until-empty` when nothing is left, and for one job with its end. */
export async function tail(
  session: Session,
  typed: string | undefined,
  flags: TailFlags,
): Promise<ExitName> {
  const { promise, resolve } = Promise.withResolvers<ExitName>();
  const ending = new AbortController();
  const release = onStopSignals(
    (signal) => resolve(exitOfSignal(signal)),
    (signal) => resolve(exitOfSignal(signal)),
  );
  try {
    const follow = { resolve, signal: ending.signal };
    if (typed === undefined) await followQueues(session, flags, follow);
    else if (flags.queue !== undefined || flags.untilEmpty === true) {
      throw usageError('a job and --queue or --until-empty contradict each other');
    } else await followJob(session, typed, follow);
    return await promise;
  } finally {
    ending.abort();
    release();
  }
}

interface Follow {
  readonly resolve: (exit: ExitName | Promise<ExitName>) => void;
  readonly signal: AbortSignal;
}

async function followQueues(
  session: Session,
  flags: TailFlags,
  { resolve, signal }: Follow,
): Promise<void> {
  const { terminal } = session;
  const queue = await session.queue();
  const queues = flags.queue ?? [];
  for (const name of queues) await findQueue(session, name);
  const look = async (): Promise<void> => {
    if (flags.untilEmpty !== true) return;
    const stats = await queue.stats(queues);
    const isEmpty = stats.queues.every(
      ({ ready, delayed, leased }) => ready + delayed + leased === 0,
    );
    if (isEmpty) resolve('ok');
  };
  const lookAgain = (): void => {
    look().catch((error: unknown) => resolve(Promise.reject(error as Error)));
  };
  await queue.watch({
    queues,
    signal,
    onChange: (info) => {
      reportChange(terminal, info);
      if (isFinished(info)) lookAgain();
    },
    onGap: () => {
      reportGap(terminal);
      lookAgain();
    },
  });
  terminal.hint(`watching ${queues.length === 0 ? 'all queues' : queues.join(', ')}; Ctrl-C ends`);
  await look();
}

/** Begins with where the job stands, so that nothing between the look and the watch is missed. */
async function followJob(
  session: Session,
  typed: string,
  { resolve, signal }: Follow,
): Promise<void> {
  const { terminal } = session;
  const queue = await session.queue();
  const { id, queue: name } = (await findJob(queue, typed)).info;
  let told = '';
  const goOn = (work: Promise<void>): void => {
    work.catch((error: unknown) => resolve(Promise.reject(error as Error)));
  };
  const tell = (info: JobInfo): void => {
    const change = `${info.state} ${info.deliveries} ${info.changedAtMs}`;
    if (info.id !== id || change === told) return;
    told = change;
    reportChange(terminal, info);
    const next = supersededBy(info);
    if (next !== null) goOn(followJob(session, next, { resolve, signal }));
    else if (isFinished(info)) resolve(exitOfFinished([info]));
  };
  const look = async (): Promise<void> => {
    for (const { info } of await queue.inspect(id)) tell(info);
  };
  await queue.watch({
    queues: [name],
    signal,
    onChange: tell,
    onGap: () => {
      reportGap(terminal);
      goOn(look());
    },
  });
  await look();
}

function isFinished({ state }: JobInfo): boolean {
  return state === 'done' || state === 'dead' || state === 'cancelled';
}

function reportGap(terminal: Terminal): void {
  terminal.warn('the connection was lost for a while; changes in between are not shown');
}

const styles: { readonly [state in JobInfo['state']]?: Style } = {
  done: 'green',
  dead: 'red',
  delayed: 'yellow',
};

function reportChange(terminal: Terminal, info: JobInfo): void {
  if (terminal.json) {
    terminal.result(JSON.stringify(describeJob(info)));
    return;
  }
  const time = timeOf(info.changedAtMs);
  const state = stateWord(info).padEnd(9);
  const style = styles[info.state];
  const shown = style === undefined || !process.stdout.isTTY ? state : terminal.paint(style, state);
  const what = info.source === '' ? info.agent : `${info.agent}  ${info.source}`;
  const detail = detailOf(info);
  const rest = detail === '' ? what : `${what}  ${detail}`;
  terminal.result(`${time}  ${shortId(info.id)}  ${shown}  ${oneLine(rest)}`);
}

function detailOf(info: JobInfo): string {
  if (info.state === 'done') {
    return `-> ${madeText(info)}`;
  }
  if (info.state === 'leased') return `attempt ${info.attempts + 1} of ${info.attemptsMax}`;
  const due = info.state === 'delayed' ? `due ${timeOf(info.dueAtMs)}` : '';
  return [failureOf(info), due].filter((text) => text !== '').join('; ');
}

/** Time of the day, here. */
function timeOf(ms: number): string {
  return new Date(ms).toTimeString().slice(0, 8);
}
