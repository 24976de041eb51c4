/**
 * `fetch` gives up by itself after five minutes without headers or without a byte. How long a model
 * may think is for `limits.timeout` and `limits.idle` to say, so here it never does.
 */

/** Where Node keeps the sender behind `fetch`, one that minds proxies among them. */
const globalDispatcher = Symbol.for('undici.globalDispatcher.1');

type Dispatcher = NonNullable<RequestInit['dispatcher']>;
type DispatcherClass = new (options: { headersTimeout: number; bodyTimeout: number }) => Dispatcher;

let dispatcher: Dispatcher | undefined;

export const patientFetch: typeof fetch = (input, init) => {
  dispatcher ??= createDispatcher();
  return fetch(input, { ...init, ...(dispatcher === undefined ? {} : { dispatcher }) });
};

/** Of the same kind as Node's own; undefined where Node keeps it elsewhere. */
function createDispatcher(): Dispatcher | undefined {
  // Node loads all of it once any of its classes is looked at.
  if (typeof Headers !== 'function') return undefined;
  const own = (globalThis as { [globalDispatcher]?: Dispatcher })[globalDispatcher];
  const Own = own?.constructor as DispatcherClass | undefined;
  return Own === undefined ? undefined : new Own({ headersTimeout: 0, bodyTimeout: 0 });
}
