/** Enqueue: accepts new jobs, recognises known ones, refuses what does not fit; item by item. */

import { type CodeOf, errorCodes, type Message } from '../../../protocol/index.ts';
import type { CheckedJob, NetEvent, Now } from '../../events.ts';
import type { Core } from '../context/core.ts';
import { Admission } from './admission.ts';

type EnqueueEvent = Extract<NetEvent, { type: 'enqueue' }>;
type Answer = Message<'EnqueueOk'>['items'][number];

/** Begins the admission of so many jobs, which are accepted together. */
type Begin = (jobs: number) => Admission;

const zeroId = '0'.repeat(26);

export function enqueue(core: Core, event: EnqueueEvent, now: Now): void {
  const { connection, correlationId } = event;
  // Of a session that was taken over, what it had sent before is still accepted.
  const named = core.connections.get(connection)?.named ?? { queues: 0 };
  const accept = event.atomic ? acceptAll : acceptEach;
  const items = accept(core, event.jobs, (jobs) => new Admission(core, named, now, jobs));
  const { answers, isLast } = event.part ?? { answers: [], isLast: true };
  answers.push(...items);
  if (isLast) core.effects.send(connection, correlationId, 'EnqueueOk', { items: answers });
}

/** Each job by itself: one record each, so that a body is read back alone. */
function acceptEach(core: Core, jobs: readonly CheckedJob[], begin: Begin): Answer[] {
  return jobs.map((checked) => {
    const admission = begin(1);
    const answer = check(admission, checked);
    admission.commit();
    return withState(core, answer, admission.rows[0]?.job.seq);
  });
}

/** All or none, in one record: a crash cannot come between them. */
function acceptAll(core: Core, jobs: readonly CheckedJob[], begin: Begin): Answer[] {
  const admission = begin(jobs.length);
  const answers = jobs.map((checked) => check(admission, checked));
  if (answers.some(({ outcome }) => outcome === 'refused')) {
    return answers.map((answer) => {
      if (answer.outcome === 'refused') return answer;
      return refused(answer.id, 'BATCH_REFUSED', 'another job of the atomic batch was refused');
    });
  }
  admission.commit();
  return answers.map((answer) => withState(core, answer));
}

function check(admission: Admission, checked: CheckedJob): Answer {
  if (!checked.ok) return refused(checked.id ?? zeroId, checked.code, checked.message);
  const { id } = checked.job;
  const admitted = admission.check(checked.bytes, checked.job);
  if (admitted === 'created' || admitted === 'exists') {
    return { id, outcome: admitted, state: 'none', code: 0, message: '' };
  }
  return refused(id, admitted.code, admitted.message);
}

/** The answer with the state that the job has after the commit; `seq` is its number, where that is known. */
function withState({ state: { jobs } }: Core, answer: Answer, seq?: number): Answer {
  if (answer.outcome === 'refused') return answer;
  const job = seq === undefined ? jobs.get(answer.id) : jobs.bySeq(seq);
  answer.state = job?.state ?? 'none';
  return answer;
}

function refused(id: string, code: CodeOf<'item'>, message: string): Answer {
  return { id, outcome: 'refused', state: 'none', code: errorCodes[code].number, message };
}
