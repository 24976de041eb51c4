/** Sessions that stay connected; their modules load on first use, so that a command that only asks starts quickly. */

import type { Consumer, ConsumerOptions } from './consumer/consumer.ts';
import type { Watcher, WatcherOptions } from './watcher.ts';

/** Takes jobs as soon as it resolves. @throws AiqError as `Consumer.open` */
export async function openConsumer(options: ConsumerOptions): Promise<Consumer> {
  const module = await import('./consumer/consumer.ts');
  return module.Consumer.open(options);
}

/** Watches from the moment that it resolves. @throws AiqError as `Watcher.open` */
export async function openWatcher(options: WatcherOptions): Promise<Watcher> {
  const module = await import('./watcher.ts');
  return module.Watcher.open(options);
}
