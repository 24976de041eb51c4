/**
 * Bugs that somebody could make, each with a test that must notice it. `npm run test:planted` plants
 * one after another and shows what caught it: a test that catches none of them proves little.
 */

/** One place of the sources: what stands there and what the bug makes of it. */
interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** What must fail: seeds of the simulation, or a test file. */
type Catcher =
  | { readonly seeds: number; readonly steps: number }
  | { readonly test: string; readonly name?: string };

export interface PlantedBug {
  readonly name: string;
  /** What is wrong, in words. */
  readonly what: string;
  readonly edits: readonly Edit[];
  readonly caughtBy: Catcher;
}

const simulation = { seeds: 100, steps: 2_000 } as const;

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'reveal-before-sync',
    what: 'answers leave before their records are durable',
    edits: [
      {
        file: 'core/broker/engine.ts',
        find: 'this.#outbox.release(this.#log.durableOffset);',
        replace: 'this.#outbox.release(this.#log.endOffset);',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'short-write-ignored',
    what: 'a short write counts as a whole one',
    edits: [
      {
        file: 'core/broker/log/disk.ts',
        find: `  while (rest.length > 0) {
    const written = await file.write(rest, at);`,
        replace: `  for (let once = 0; once < 1 && rest.length > 0; once++) {
    const written = await file.write(rest, at);`,
      },
      {
        file: 'core/broker/log/disk.ts',
        find: '  return at - position;',
        replace: '  return buffers.reduce((sum, { length }) => sum + length, 0);',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'folder-not-synced',
    what: 'the name of a new segment is not made durable',
    edits: [
      {
        file: 'core/broker/log/disk.ts',
        find: `    await disk.syncDir(dir);
  } catch (error) {`,
        replace: '  } catch (error) {',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'sync-repeated',
    what: 'after a failed fdatasync the log tries once more',
    edits: [
      {
        file: 'core/broker/log/tail-writer.ts',
        find: '    await this.#file.datasync();',
        replace: '    await this.#file.datasync().catch(() => this.#file.datasync());',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'damage-cut-off',
    what: 'damage in what is proven durable is cut off like a torn tail',
    edits: [
      {
        file: 'core/broker/log/recover.ts',
        find: `    if (verdict === 'durable') throw durableDamaged(segment, scan);
`,
        replace: '',
      },
    ],
    caughtBy: { test: 'test/unit/broker/log-recovery.test.ts' },
  },
  {
    name: 'stale-token-accepted',
    what: 'a settle ends the lease of a later delivery',
    edits: [
      {
        file: 'core/broker/queue/core.ts',
        find: 'lease?.session === session && isNewest(job, token) ? lease : undefined',
        replace: 'lease?.session === session ? lease : undefined',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'foreign-session-accepted',
    what: 'another session may settle and renew a lease',
    edits: [
      {
        file: 'core/broker/queue/core.ts',
        find: 'lease?.session === session && isNewest(job, token) ? lease : undefined',
        replace: 'isNewest(job, token) ? lease : undefined',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'throttling-charged',
    what: 'a throttled job is charged an attempt',
    edits: [
      {
        file: 'core/broker/queue/lease-end.ts',
        find: "throttled: { charge: 'return', again: true }",
        replace: "throttled: { charge: 'attempt', again: true }",
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'goodbye-charged',
    what: 'leases that a leaving consumer hands back are charged',
    edits: [
      {
        file: 'core/broker/queue/lease-end.ts',
        find: "  returned: { charge: 'return', again: true }",
        replace: "  returned: { charge: 'attempt', again: true }",
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'epoch-kept',
    what: 'a start begins no new epoch',
    edits: [
      {
        file: 'core/broker/queue/machine.ts',
        find: 'epoch: state.epoch + 1,',
        replace: 'epoch: Math.max(1, state.epoch),',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'lease-on-wall-clock',
    what: 'leases run out by the wall clock',
    edits: [
      {
        file: 'core/broker/queue/core.ts',
        find: 'const deadlineMs = now.monotonicMs + this.options.leaseMs;',
        replace: 'const deadlineMs = now.wallMs + this.options.leaseMs;',
      },
      {
        file: 'core/broker/queue/sessions.ts',
        find: 'core.leaseDeadlines.popDue(now.monotonicMs)',
        replace: 'core.leaseDeadlines.popDue(now.wallMs)',
      },
      {
        file: 'core/broker/queue/sessions.ts',
        find: 'if (lease.deadlineMs > now.monotonicMs) {',
        replace: 'if (lease.deadlineMs > now.wallMs) {',
      },
      {
        file: 'core/broker/queue/settle.ts',
        find: 'lease.deadlineMs = now.monotonicMs + core.options.leaseMs;',
        replace: 'lease.deadlineMs = now.wallMs + core.options.leaseMs;',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'session-lost-at-once',
    what: 'a lost connection costs its leases without a resume window',
    edits: [
      {
        file: 'core/broker/queue/sessions.ts',
        find: 'awaitResume(core, session, now.monotonicMs + core.options.resumeMs[session.transport]);',
        replace: 'awaitResume(core, session, now.monotonicMs);',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'compaction-drops-live-job',
    what: 'compaction leaves out jobs that wait for a retry',
    edits: [
      {
        file: 'core/broker/queue/compaction.ts',
        find: `    bytes += job.logBytes;
    fetchJob(core, job);
    slot = jobs.logOrder.after(slot);`,
        replace: `    bytes += job.logBytes;
    slot = jobs.logOrder.after(slot);
    if (job.attempts === 0) fetchJob(core, job);
    else {
      jobs.logOrder.remove(job.slot);
      job.base = upTo + 1;
      jobs.logOrder.push(job.slot);
    }`,
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'dropped-before-said-again',
    what: 'compaction drops a segment before the small state is said again',
    edits: [
      {
        file: 'core/broker/compactor.ts',
        find: `    run([{ type: 'restate' }]);
`,
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'duplicates-forgotten',
    what: 'a job that is done is forgotten at once, and its id taken anew',
    edits: [
      {
        file: 'core/broker/queue/waiting.ts',
        find: 'return queue.over.rows.length - going > keepJobs || job.changedAtMs + keepMs <= now.wallMs;',
        replace:
          'return queue.over.rows.length - going > keepJobs || job.changedAtMs <= now.wallMs + keepMs;',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'summary-leaves-out-retry',
    what: 'a summary leaves out that a dead job was retried',
    edits: [
      {
        file: 'core/broker/queue/summary.ts',
        find: '          keep(id, record.kind, { ...record, ids: [id] });',
        replace:
          "          if (record.kind !== 'retried') keep(id, record.kind, { ...record, ids: [id] });",
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'follow-up-lost',
    what: 'replay forgets the follow-up jobs of an ack',
    edits: [
      {
        file: 'core/broker/queue/summary.ts',
        find: `        for (const job of record.enqueue) this.#accept(job, record.atMs, offset);
`,
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'journal-overwritten',
    what: 'a second journal put replaces the first',
    edits: [
      {
        file: 'core/broker/queue/journal-requests.ts',
        find: `  if (standing !== undefined) {
    sendEntry(caller, standing.offset);
    return;
  }
`,
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'blob-dropped-early',
    what: 'a blob is dropped while a result refers to it',
    edits: [
      {
        file: 'core/broker/queue/blobs.ts',
        find: `    this.#references.set(key, (this.#references.get(key) ?? 0) + 1);
    this.unreferenced.stop(key);`,
        replace: '    this.#references.set(key, (this.#references.get(key) ?? 0) + 1);',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'delivers-on-full-disk',
    what: 'jobs are delivered while the disk is full',
    edits: [
      {
        file: 'core/broker/queue/delivery.ts',
        find: 'if (core.state.jobs.readyCount === 0 || core.diskFull) return true;',
        replace: 'if (core.state.jobs.readyCount === 0) return true;',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'accepts-on-full-disk',
    what: 'jobs are accepted while the disk is full',
    edits: [
      {
        file: 'core/broker/queue/admission.ts',
        find: '    if (diskFull) {',
        replace: '    if (diskFull && facts.jobBytes < 0) {',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'priority-starves',
    what: 'low priorities never age',
    edits: [
      {
        file: 'core/broker/queue/named-queue.ts',
        find: '      offsetMs: ageingOffsetMs[priority],',
        replace: '      offsetMs: ageingOffsetMs[priority] * 1_000_000,',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'limit-off-by-one',
    what: 'a queue takes one job more than its limit',
    edits: [
      {
        file: 'core/broker/queue/admission.ts',
        find: 'if (jobsMax > 0 && queue.jobs + coming.jobs >= jobsMax) {',
        replace: 'if (jobsMax > 0 && queue.jobs + coming.jobs > jobsMax) {',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'batch-half-accepted',
    what: 'an atomic batch is accepted without the jobs that were refused',
    edits: [
      {
        file: 'core/broker/queue/enqueue.ts',
        find: "  if (answers.some(({ outcome }) => outcome === 'refused')) {",
        replace: "  if (answers.every(({ outcome }) => outcome === 'refused')) {",
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'pause-forgotten',
    what: 'a pause does not survive compaction',
    edits: [
      {
        file: 'core/broker/queue/compaction.ts',
        find: `    if (paused) core.commit({ kind: 'paused', queue: name, atMs });
`,
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'delay-cut-short',
    what: 'a job with a time of day is delivered after its delay alone',
    edits: [
      {
        file: 'core/broker/queue/admission.ts',
        find: 'const dueAtMs = Math.max(facts.runAtMs, facts.delayMs > 0 ? wallMs + facts.delayMs : 0);',
        replace: 'const dueAtMs = facts.delayMs > 0 ? wallMs + facts.delayMs : facts.runAtMs;',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'purge-takes-running-jobs',
    what: 'a purge cancels jobs that are being worked on',
    edits: [
      {
        file: 'core/broker/queue/bulk-requests.ts',
        find: "return state === 'ready' || state === 'delayed' || state === 'parked';",
        replace: "return state !== 'done' && state !== 'cancelled' && state !== 'dead';",
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'budget-overdrawn',
    what: 'a reservation is granted beyond its budget',
    edits: [
      {
        file: 'core/broker/queue/scope-requests.ts',
        find: 'const waitMs = units <= leftAt(scope, nowMs) ? 0 : waitMsFor(scope, units, nowMs);',
        replace: 'const waitMs = units <= scope.limitUnits ? 0 : waitMsFor(scope, units, nowMs);',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'frame-without-bound',
    what: 'a frame may announce any length',
    edits: [
      {
        file: 'core/protocol/frame.ts',
        find: `    if (bodyBytes > this.#frameBytesMax) throw tooLarge(bodyBytes, this.#frameBytesMax);
`,
        replace: '',
      },
    ],
    caughtBy: { test: 'test/unit/protocol/frame.test.ts' },
  },
  {
    name: 'record-before-files',
    what: 'the commit record is linked before the files are durable',
    edits: [
      {
        file: 'core/output/store.ts',
        find: `    await attempt.sync();
    await attempt.close();
    await context.step('synced');
    signal?.throwIfAborted();
`,
        replace: `    signal?.throwIfAborted();
`,
      },
      {
        file: 'core/output/store.ts',
        find: '      return { record, generation: 0 };',
        replace: `      await attempt.sync();
      await attempt.close();
      await context.step('synced');
      return { record, generation: 0 };`,
      },
    ],
    caughtBy: { test: 'test/integration/output/store.test.ts' },
  },
  {
    name: 'rename-instead-of-link',
    what: 'a published file replaces what another job has put there',
    edits: [
      {
        file: 'core/output/roll-forward.ts',
        find: "await (to.overwrite === 'replace' ? rename(staged, to.target) : link(staged, to.target));",
        replace: 'await rename(staged, to.target);',
      },
    ],
    caughtBy: { test: 'test/integration/output/races.test.ts' },
  },
  {
    name: 'record-replaced',
    what: 'a second attempt replaces the commit record of the first',
    edits: [
      {
        file: 'core/output/records.ts',
        find: '    await link(`${tree.staged.at}/${from}`, `${tree.commit.at}/${name}`);',
        replace: '    await rename(`${tree.staged.at}/${from}`, `${tree.commit.at}/${name}`);',
      },
      {
        file: 'core/output/records.ts',
        find: "import { link, open } from 'node:fs/promises';",
        replace: "import { open, rename } from 'node:fs/promises';",
      },
    ],
    caughtBy: { test: 'test/integration/output/races.test.ts' },
  },
  {
    name: 'late-settle',
    what: 'a job whose lease ran out is settled all the same',
    edits: [
      {
        file: 'core/runtime/desk.ts',
        find: '    if (performance.now() > task.leased.deadlineMs) {',
        replace: '    if (performance.now() > task.leased.deadlineMs + 3_600_000) {',
      },
    ],
    caughtBy: { test: 'test/integration/runtime/runtime.test.ts' },
  },
];
