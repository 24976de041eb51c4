/** Enqueue: accepts new jobs, recognises known ones, refuses what does not fit; item by item. */

import { type CodeOf, errorCodes, type Message } from '../../../protocol/index.ts';
import type { CheckedJob, NetEvent, Now } from '../../events.ts';
import type { Core } from '../context/core.ts';
import { Admission, type NewRow } from './admission.ts';

type EnqueueEvent = Extract<NetEvent, { type: 'enqueue' }>;
type Answer = Message<'EnqueueOk'>['items'][number];

const zeroId = '0'.repeat(26);

export function enqueue(core: Core, event: EnqueueEvent, now: Now): void {
  const { connection, correlationId } = event;
  const items = event.atomic ? acceptAll(core, event.jobs, now) : acceptEach(core, event.jobs, now);
  core.effects.send(connection, correlationId, 'EnqueueOk', { items });
}

/** Each job by itself: one record each, so that a body is read back alone. */
function acceptEach(core: Core, jobs: readonly CheckedJob[], now: Now): Answer[] {
  return jobs.map((checked) => {
    const admission = new Admission(core, now);
    const answer = check(admission, checked);
    commit(core, admission.rows, now);
    return withState(core, answer);
  });
}

/** All or none, in one record: a crash cannot come between them. */
function acceptAll(core: Core, jobs: readonly CheckedJob[], now: Now): Answer[] {
  const admission = new Admission(core, now);
  const answers = jobs.map((checked) => check(admission, checked));
  if (answers.some(({ outcome }) => outcome === 'refused')) {
    return answers.map((answer) => {
      if (answer.outcome === 'refused') return answer;
      return refused(answer.id, 'BATCH_REFUSED', 'another job of the atomic batch was refused');
    });
  }
  commit(core, admission.rows, now);
  return answers.map((answer) => withState(core, answer));
}

function commit(core: Core, rows: readonly NewRow[], now: Now): void {
  if (rows.length === 0) return;
  const facts = rows.map((row) => row.facts);
  core.commit({ kind: 'enqueued', atMs: now.wallMs, jobs: rows.map(({ job }) => job) }, facts);
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

/** The answer with the state that the job has after the commit. */
function withState(core: Core, answer: Answer): Answer {
  if (answer.outcome === 'refused') return answer;
  return { ...answer, state: core.state.jobs.get(answer.id)?.state ?? 'none' };
}

function refused(id: string, code: CodeOf<'item'>, message: string): Answer {
  return { id, outcome: 'refused', state: 'none', code: errorCodes[code].number, message };
}
