/** Who watches which queues, and how far each was told of what changed. */

import type { ConnectionId } from '../../events.ts';
import { Changes } from './change-feed.ts';
import type { JobView } from './job-view.ts';

/** Changes that are looked at for one watcher in one go, whether they concern it or not. */
const scansMax = 2_000;

interface Watcher {
  /** An empty set means all. */
  readonly queues: ReadonlySet<string>;
  /** The next change that it was not told of. */
  next: number;
}

/** What one watcher is to be told, and how much work it was to find that, counted in jobs. */
interface Found {
  readonly pictures: JobView[];
  readonly work: number;
}

export class Watchers {
  readonly #watchers: Map<ConnectionId, Watcher> = new Map();
  /** How many watch each queue; the empty name stands for all. */
  readonly #counts: Map<string, number> = new Map();
  readonly #changes = new Changes();

  get count(): number {
    return this.#watchers.size;
  }

  get connections(): Iterable<ConnectionId> {
    return this.#watchers.keys();
  }

  /** What it was not told of before it is told of as well. */
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

  /** Keeps a change of a job of that queue, once for all; false when nobody watches the queue. */
  record(queue: string, viewOfJob: () => JobView): boolean {
    if (!this.#counts.has('') && !this.#counts.has(queue)) return false;
    this.#changes.add(viewOfJob());
    return true;
  }

  /** True when there may be something that the connection was not told of. */
  hasMore(connection: ConnectionId): boolean {
    const watcher = this.#watchers.get(connection);
    return watcher !== undefined && watcher.next < this.#changes.count;
  }

  /** True when some of what it was not told of is forgotten. */
  isTooFarBehind(connection: ConnectionId): boolean {
    const watcher = this.#watchers.get(connection);
    return watcher !== undefined && watcher.next < this.#changes.first;
  }

  /**
   * Takes what it is told next: changes as they were, or jobs that changed as they are by now.
   * @param viewNow the job of that number, null when it is forgotten
   */
  take(
    connection: ConnectionId,
    countMax: number,
    viewNow: (seq: number) => JobView | null,
  ): Found {
    const pictures: JobView[] = [];
    const watcher = this.#watchers.get(connection);
    if (watcher === undefined) return { pictures, work: 0 };
    const from = watcher.next;
    const upTo = Math.min(this.#changes.count, from + scansMax);
    while (watcher.next < upTo && pictures.length < countMax) {
      const change = this.#changes.at(watcher.next++);
      const picture = change === null ? null : (change.picture ?? viewNow(change.seq));
      if (picture !== null && concerns(watcher, picture)) pictures.push(picture);
    }
    const looks = watcher.next - from;
    return { pictures, work: pictures.length + (countMax * looks) / scansMax };
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
