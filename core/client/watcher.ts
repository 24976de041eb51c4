/**
 * A watcher: a session that is notified of changes of jobs and stays connected. What happens while
 * there is no connection is not notified again, so its owner hears of every such gap.
 */

import type { AnyMessage, JobInfo } from '../protocol/index.ts';
import { Session, type SessionOptions } from './session.ts';

export interface WatcherOptions extends SessionOptions {
  /** Queues to watch; all when none is named. */
  readonly queues: readonly string[];
  /** Called for each change, in the broker's order; must not throw. */
  readonly onChange: (job: JobInfo) => void;
  /** Watching goes on after a lost connection: changes may have been missed. */
  readonly onGap: () => void;
}

export class Watcher {
  readonly #options: WatcherOptions;
  readonly #session: Session;
  #isWatching = false;

  private constructor(options: WatcherOptions) {
    this.#options = options;
    this.#session = new Session(options, {
      staysConnected: true,
      restore: () => this.#restore(),
      onPush: (message) => this.#receive(message),
    });
  }

  /**
   * Watches from the moment that it resolves until it is closed.
   * @throws AiqError what the first request of a session may throw
   */
  static async open(options: WatcherOptions): Promise<Watcher> {
    const watcher = new Watcher(options);
    try {
      await watcher.#session.request('Watch', watcher.#fields);
    } catch (error) {
      await watcher.close();
      throw error;
    }
    watcher.#isWatching = true;
    return watcher;
  }

  async close(): Promise<void> {
    await this.#session.close();
  }

  get #fields(): { queues: string[] } {
    return { queues: [...this.#options.queues] };
  }

  async #restore(): Promise<void> {
    if (!this.#isWatching) return;
    await this.#session.requestBound('Watch', this.#fields);
    this.#options.onGap();
  }

  #receive(message: AnyMessage): void {
    if (message.name !== 'JobEvents') return;
    for (const job of message.fields.jobs) this.#options.onChange(job);
  }
}
