/** What only the start of a process decides, such as most settings of its memory. */
export interface StartSettings {
  readonly nodeFlags: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Starts this process again with the settings, as the same process with the same command line, unless it has
 * them already. Does not return then; returns where that is not possible.
 */
export function startAgainWith({ nodeFlags, environment }: StartSettings): void {
  const { execPath, execArgv, argv, env } = process;
  const hasAll =
    nodeFlags.every((flag) => execArgv.includes(flag)) &&
    Object.keys(environment).every((name) => env[name] !== undefined);
  if (hasAll) return;
  const command = [execPath, ...execArgv, ...nodeFlags, ...argv.slice(1)];
  process.execve?.(execPath, command, { ...environment, ...env });
}
