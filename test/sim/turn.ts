/** Lets everything run that promises have set free, without the help of any clock. */

export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
