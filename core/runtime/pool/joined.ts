/**
 * Hands on together what one turn of the event loop brings: each message between threads wakes the other
 * one, which takes longer than all else about it. What a thread has in hand when it is ended is lost, as
 * the calls are that it has under way.
 */
export function joined<T>(post: (messages: readonly T[]) => void): (message: T) => void {
  let waiting: T[] = [];
  return (message) => {
    waiting.push(message);
    if (waiting.length > 1) return;
    setImmediate(() => {
      const messages = waiting;
      waiting = [];
      post(messages);
    });
  };
}
