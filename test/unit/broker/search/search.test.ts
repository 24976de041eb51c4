/** Searching: conditions, words as people type them, pages that stay stable, bounded work. */

import { expect, test } from 'vitest';
import { type SearchFilter, searchQueryOf } from '../../../../core/broker/search/search-query.ts';
import { limits } from '../../../../core/protocol/index.ts';
import { MemoryHistory } from './memory.ts';
import { delivered, enqueued, everything, idOf, leaseEnded } from './model.ts';

/** A history with the sources as jobs 1, 2, and so on. */
function historyOf(...sources: string[]): MemoryHistory {
  const history = new MemoryHistory();
  const records = sources.map((source, index) => enqueued(index + 1, { source }));
  if (records.length > 0) history.applyAll(records, [records.length]);
  return history;
}

const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `text-${index + 1}`);

test.each([
  ['a word', 'report', ['docs/report-7.txt']],
  ['a word in capitals', 'REPORT', ['docs/report-7.txt']],
  ['a name with signs, as one', 'report-7', ['docs/report-7.txt']],
  ['parts in another order, as one', '7-report', []],
  ['several words, anywhere', '7 docs', ['docs/report-7.txt']],
  ['words of which one is missing', 'report 8', []],
  ['a letter with its accent left out', 'cafe', ['café "quoted" it\'s']],
  ['quotes', '"quoted"', ['café "quoted" it\'s']],
  ['a quote alone beside a word', '" quoted', ['café "quoted" it\'s']],
  ['quotes inside a word', 'nothing"OR"docs', []],
  ['an apostrophe', "it's", ['café "quoted" it\'s']],
  ['operators of the index as words', 'NOT docs', []],
  ['a word that is an operator', 'AND', ['this AND that']],
  ['a column of the index', 'source:report', []],
  ['a prefix sign', 'rep*', []],
  ['brackets and signs', '(report)^+-', ['docs/report-7.txt']],
  ['a NUL between words', 'report\0docs', ['docs/report-7.txt']],
])('text finds %s', (_what, text, sources) => {
  using history = historyOf('docs/report-7.txt', 'café "quoted" it\'s', 'this AND that');
  expect(history.find({ text }).map(({ source }) => source)).toEqual(sources);
});

test('text finds what a job made and why it failed', () => {
  using history = historyOf('one', 'two');
  history.applyAll(
    [
      delivered(1),
      leaseEnded(1, { note: '{"files":["out/summary.md"]}' }),
      delivered(2),
      leaseEnded(2, {
        state: 'dead',
        errorCode: 'MODEL_TIMEOUT',
        errorMessage: 'no answer within 60 s',
      }),
    ],
    [4],
  );
  const found = (text: string) => history.find({ text }).map(({ source }) => source);
  expect(found('summary.md one')).toEqual(['one']);
  expect(found('MODEL_TIMEOUT')).toEqual(['two']);
  expect(found('answer 60')).toEqual(['two']);
});

test.each<[string, Partial<SearchFilter>, RegExp]>([
  ['a cursor of another kind', { after: 'x' }, /not a cursor: "x".*`next`/],
  ['a cursor that is a number, nearly', { after: '1.5' }, /not a cursor/],
  ['a cursor beyond all numbers', { after: '9'.repeat(16) }, /not a cursor/],
  ['a page of nothing', { limit: 0 }, /limit must be from 1 to 1000/],
  ['text without a word', { text: ' -- ' }, /needs a letter or a digit/],
  ['empty text', { text: '' }, /needs a letter or a digit/],
  ['too many words', { text: 'a '.repeat(33) }, /at most 32 words/],
  ['too long a text', { text: 'a'.repeat(1001) }, /at most 1000 characters/],
  ['no state', { states: ['none'] }, /not a state/],
  ['a time that ends before it begins', { sinceMs: 5, untilMs: 4 }, /later than/],
])('refuses %s', (_what, filter, message) => {
  using history = historyOf('one');
  expect(() => history.find(filter)).toThrow(
    expect.objectContaining({ code: 'BAD_REQUEST', message: expect.stringMatching(message) }),
  );
});

test('an empty history answers with no jobs and no next page', () => {
  using history = historyOf();
  expect(history.page({})).toEqual({ jobs: [], next: '' });
  expect(history.page({ text: 'x', sinceMs: 1, after: '5' })).toEqual({ jobs: [], next: '' });
});

test('a page that holds the last job says that there is no next one', () => {
  using history = historyOf(...numbered(4));
  expect(history.page({ limit: 4 }).next).toBe('');
  const first = history.page({ limit: 3 });
  expect(first.jobs.map(({ id }) => id)).toEqual([4, 3, 2].map(idOf));
  expect(history.page({ limit: 3, after: first.next }).jobs.map(({ id }) => id)).toEqual([idOf(1)]);
});

test('more than the most rows are not given at once', () => {
  using history = historyOf(...numbered(limits.listRowsMax + 1));
  const page = history.page({ limit: 4_000_000_000 });
  expect(page.jobs).toHaveLength(limits.listRowsMax);
  expect(page.next).not.toBe('');
});

test('a page ends before it is too large for a frame', () => {
  using history = historyOf();
  const note = 'x'.repeat(limits.noteBytesMax);
  const jobs = Array.from({ length: 100 }, (_, index) => index + 1);
  history.applyAll(
    jobs.flatMap((job) => [enqueued(job), delivered(job), leaseEnded(job, { note })]),
    [300],
  );
  const page = history.page({});
  expect(page.jobs.length).toBeGreaterThan(10);
  expect(page.jobs.length).toBeLessThan(100);
  expect(history.pages({})).toHaveLength(100);
});

test('pages are stable while jobs change, come and go between them', () => {
  using history = historyOf(...numbered(60));
  const seen: string[] = [];
  let after = '';
  let round = 0;
  do {
    const page = history.page({ states: ['ready'], limit: 7, after });
    seen.push(...page.jobs.map(({ id }) => id));
    after = page.next;
    round++;
    // Of the jobs to come, some leave the state, some are forgotten; those seen change; new ones come.
    history.applyAll(
      [
        delivered(round * 3),
        delivered(61 - round),
        { kind: 'forgotten', ids: [idOf(round * 2)] },
        { kind: 'retried', ids: [seen[0] ?? ''], atMs: 90 + round },
        enqueued(100 + round),
      ],
      [2],
    );
  } while (after !== '');
  expect(new Set(seen).size).toBe(seen.length);
  const steady = history.find({ states: ['ready'] }).map(({ id }) => id);
  const old = steady.filter((id) => id > idOf(0) && id < idOf(61));
  expect(old.filter((id) => !seen.includes(id))).toEqual([]);
  expect(old.length).toBeGreaterThan(20);
});

test('a search whose time is up ends its page early, and the next page goes on', () => {
  using history = new MemoryHistory();
  const far = [1, 2, 50_000, 70_000, 2_000_000];
  history.applyAll(
    far.map((seq, index) => enqueued(index + 1, {}, { seq })),
    [5],
  );
  expect(history.page({}, 0, 0).jobs).toHaveLength(1);
  expect(history.pages({}, 0, 0).map(({ id }) => id)).toEqual([5, 4, 3, 2, 1].map(idOf));
  expect(history.pages({ queue: 'summarize', states: ['ready'] }, 0, 0)).toHaveLength(5);
});

test('no job falls between two looks at the table', () => {
  using history = new MemoryHistory();
  const seqs = [20_000, 10_002, 10_001, 10_000, 9_999, 3];
  history.applyAll(
    seqs.map((seq, index) => enqueued(index + 1, {}, { seq })),
    [6],
  );
  const expected = seqs.map((_, index) => idOf(index + 1));
  expect(history.pages({}, 0, 0).map(({ id }) => id)).toEqual(expected);
  expect(history.find({}).map(({ id }) => id)).toEqual(expected);
});

test('a delayed job counts as ready from the time that it is due', () => {
  using history = new MemoryHistory();
  history.applyAll([enqueued(1, {}, { atMs: 10, dueAtMs: 50 })], [1]);
  expect(history.find({ states: ['delayed'] }, 49)).toHaveLength(1);
  expect(history.find({ states: ['ready'] }, 49)).toEqual([]);
  expect(history.find({ states: ['delayed'] }, 50)).toEqual([]);
  expect(history.find({ states: ['ready'], sinceMs: 50 }, 50)).toEqual([
    expect.objectContaining({ state: 'ready', changedAtMs: 50, dueAtMs: 0 }),
  ]);
  expect(history.find({ untilMs: 49 }, 50)).toEqual([]);
});

test.each<[string, Partial<SearchFilter>, string]>([
  ['everything', {}, 'rowid>? AND rowid<?'],
  ['a queue', { queue: 'q' }, 'by_queue (queue=? AND state=? AND seq>? AND seq<?)'],
  ['a queue and states', { queue: 'q', states: ['dead', 'done'] }, 'by_queue (queue=? AND state=?'],
  ['an agent', { agent: 'a' }, 'by_agent (agent=? AND seq>? AND seq<?)'],
  ['a state', { states: ['done'] }, 'by_state (state=? AND seq>? AND seq<?)'],
  ['a rare state of an agent', { states: ['dead'], agent: 'a' }, 'by_state (state=? AND seq>?'],
  ['an error', { errorCode: 'E', queue: 'q' }, 'by_error (error_code=? AND seq>? AND seq<?)'],
  ['a tag', { tag: 't', agent: 'a' }, 'PRIMARY KEY (tag=? AND seq>? AND seq<?)'],
  ['text', { text: 'x', tag: 't', queue: 'q' }, 'words VIRTUAL TABLE'],
])('%s is found through its index', (_what, given, expected) => {
  using history = historyOf('one');
  const plan = planOf(history, { ...everything, ...given });
  expect(plan[0]).toContain(expected);
  expect(plan.filter((step) => /^SCAN (?!words)/.test(step))).toEqual([]);
});

/** What SQLite does, step by step, to answer the question. */
function planOf({ db }: MemoryHistory, filter: SearchFilter): string[] {
  const { walk, conditions } = searchQueryOf(filter, 0);
  const range = `${walk.key} >= ? AND ${walk.key} < ?`;
  const all = [walk.first.sql, range, ...conditions.map(({ sql }) => sql)].join(' AND ');
  return db
    .prepare(
      `EXPLAIN QUERY PLAN SELECT jobs.* FROM ${walk.from} WHERE ${all} ORDER BY ${walk.key} DESC`,
    )
    .all()
    .map(({ detail }) => String(detail));
}

test('a time or a cost that few jobs have is found without a look at all others', () => {
  using history = new MemoryHistory();
  const usage = { calls: 1, inputTokens: 0, outputTokens: 0, costMicros: 900, estimated: false };
  history.applyAll([enqueued(1), enqueued(2, {}, { seq: 3_000_000 })], [2]);
  history.applyAll([delivered(1), leaseEnded(1, { usage, atMs: 5_000 })], [2]);
  // With no time to spend, a walk through the table would end before it reaches the old job.
  expect(history.page({}, 0, 0).next).not.toBe('');
  for (const filter of [{ sinceMs: 4_000 }, { costMicrosMin: 900 }]) {
    const { jobs, next } = history.page(filter, 0, 0);
    expect([jobs.map(({ id }) => id), next]).toEqual([[idOf(1)], '']);
  }
});

test('a time that very many jobs share is walked through page by page', () => {
  using history = historyOf(...numbered(6000));
  history.applyAll([delivered(3, 5_000)], [1]);
  expect(history.pages({ sinceMs: 1, untilMs: 4_000 }, 0, 0)).toHaveLength(5999);
});
