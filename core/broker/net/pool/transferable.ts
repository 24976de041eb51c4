/**
 * Prepares messages for transfer between threads: all byte views in a message are copied once into one
 * buffer, which is transferred. A structured clone of a view would copy the whole buffer behind it,
 * and transferring that buffer would detach it for its other users. A buffer made for one large frame
 * has no others, and is transferred as it is.
 */

/** Larger than any single socket read, so a buffer of that size holds exactly one frame. */
const frameBufferBytes = 128 * 1024;

/** A message whose byte views all lie in buffers of the transfer list; post it with that list. */
interface Transferable<T> {
  readonly value: T;
  readonly transfer: readonly ArrayBuffer[];
}

/** Returns a copy of `value` that shares everything without bytes. Large buffers must not be used any more. */
export function toTransferable<T>(value: T): Transferable<T> {
  const sum: Sum = { views: 0, bytes: 0, frames: new Set() };
  measure(value, sum);
  const { views, bytes, frames } = sum;
  if (views === 0) return { value, transfer: [...frames] };
  const slab = new Uint8Array(bytes);
  let at = 0;
  const move = (view: Uint8Array): Uint8Array => {
    if (isOfFrame(view)) return view;
    const moved = slab.subarray(at, at + view.length);
    moved.set(view);
    at += view.length;
    return moved;
  };
  return { value: replaceViews(value, move) as T, transfer: [slab.buffer, ...frames] };
}

interface Sum {
  /** Views that are to be copied, and their bytes. */
  views: number;
  bytes: number;
  readonly frames: Set<ArrayBuffer>;
}

/** Whether its buffer was made for one frame. */
export function isOfFrame(view: Uint8Array): view is Uint8Array<ArrayBuffer> {
  return view.length > 0 && view.buffer.byteLength >= frameBufferBytes;
}

function measure(value: unknown, sum: Sum): void {
  if (typeof value !== 'object' || value === null || value instanceof Uint32Array) return;
  if (value instanceof Uint8Array) {
    if (isOfFrame(value)) sum.frames.add(value.buffer);
    else {
      sum.views += 1;
      sum.bytes += value.length;
    }
  } else if (Array.isArray(value)) {
    for (const item of value) measure(item, sum);
  } else {
    for (const name in value) measure((value as Record<string, unknown>)[name], sum);
  }
}

function replaceViews(value: unknown, move: (view: Uint8Array) => Uint8Array): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Uint32Array) return value;
  if (value instanceof Uint8Array) return move(value);
  if (Array.isArray(value)) return value.map((item) => replaceViews(item, move));
  const copy: Record<string, unknown> = {};
  for (const name in value) {
    copy[name] = replaceViews((value as Record<string, unknown>)[name], move);
  }
  return copy;
}
