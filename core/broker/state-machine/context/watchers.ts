/** The connections that watch queues, and the position of each in the feed of changes. */

import type { ConnectionId } from '../../events.ts';
import { ChangeFeed } from './change-feed.ts';
import type { JobView } from './job-view.ts';

/** Changes that are scanned for one watcher in one go, whether they concern it or not. */
const scansMax = 2_000;

interface Watcher {
  /** An empty set means all. */
  readonly queues: ReadonlySet<string>;
  /** The next change that was not reported to it. */
  next: number;
}

/** What is to be reported to one watcher, and the cost of finding it, counted in jobs. */
interface Found {
  readonly views: JobView[];
  readonly work: number;
}

export class Watchers {
  readonly #watchers: Map<ConnectionId, Watcher> = new Map();
  /** How many watch each queue; the empty name is for all queues. */
  readonly #counts: Map<string, number> = new Map();
  readonly #changes = new ChangeFeed();

  get count(): number {
    return this.#watchers.size;
  }

  get connections(): Iterable<ConnectionId> {
    return this.#watchers.keys();
  }

  /** Watches other queues from now on; changes that were not yet reported are reported as well. */
  watch(connection: ConnectionId, names: readonly string[]): void {
    const next = this.#watchers.get(connection)?.next ?? this.#changes.count;
    this.#count(connection, -1);
    this.#watchers.set(connection, { queues: new Set(names), next });
    this.#count(connection, 1);
  }

  forget(connection: ConnectionId): void {
    this.#count(connection, -1);
    this.#watchers.delete(connection);
    if (this.#watchers.size === 0) this.#changes.clear();
  }

  /** Keeps a change of a job of that queue, once for all; false when no connection watches it. */
  record(queue: string, viewOfJob: () => JobView): boolean {
    if (!this.#counts.has('') && !this.#counts.has(queue)) return false;
    this.#changes.add(viewOfJob());
    return true;
  }

  /** True when there may be changes that were not reported to the connection. */
  hasMore(connection: ConnectionId): boolean {
    const watcher = this.#watchers.get(connection);
    return watcher !== undefined && watcher.next < this.#changes.count;
  }

  /** True when some changes were removed before they were reported to it. */
  isTooFarBehind(connection: ConnectionId): boolean {
    const watcher = this.#watchers.get(connection);
    return watcher !== undefined && watcher.next < this.#changes.first;
  }

  /**
   * Takes the next changes to report: jobs as they were, or as they are by now.
   * @param viewNow the job of that number, null when it is forgotten
   */
  take(
    connection: ConnectionId,
    countMax: number,
    viewNow: (seq: number) => JobView | null,
  ): Found {
    const views: JobView[] = [];
    const watcher = this.#watchers.get(connection);
    if (watcher === undefined) return { views, work: 0 };
    const from = watcher.next;
    const upTo = Math.min(this.#changes.count, from + scansMax);
    while (watcher.next < upTo && views.length < countMax) {
      const change = this.#changes.at(watcher.next++);
      const view = change === null ? null : (change.view ?? viewNow(change.seq));
      if (view !== null && concerns(watcher, view)) views.push(view);
    }
    const scans = watcher.next - from;
    return { views, work: views.length + (countMax * scans) / scansMax };
  }

  #count(connection: ConnectionId, by: 1 | -1): void {
    const queues = this.#watchers.get(connection)?.queues;
    if (queues === undefined) return;
    for (const name of queues.size === 0 ? [''] : queues) {
      const count = (this.#counts.get(name) ?? 0) + by;
      if (count === 0) this.#counts.delete(name);
      else this.#counts.set(name, count);
    }
  }
}

function concerns({ queues }: Watcher, { row }: JobView): boolean {
  return queues.size === 0 || queues.has(row.queue);
}
