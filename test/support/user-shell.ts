/** Programs run as a user's shell would: nothing of the surrounding npm or test run reaches them. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter, dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param home where aiq keeps what belongs to its user: of this machine's user only npm's settings count */
export class UserShell {
  readonly #env: NodeJS.ProcessEnv;

  constructor(home: string, more: NodeJS.ProcessEnv = {}) {
    const path = [dirname(process.execPath), process.env['PATH']].join(delimiter);
    const { NPM_CONFIG_USERCONFIG, npm_config_cache, npm_config_registry } = process.env;
    // What the machine trusts belongs to reaching its registry.
    const { NODE_EXTRA_CA_CERTS } = process.env;
    const npm = { NPM_CONFIG_USERCONFIG, npm_config_cache, npm_config_registry };
    const own = { XDG_CACHE_HOME: home, XDG_CONFIG_HOME: home, XDG_STATE_HOME: home };
    const folders = { HOME: process.env['HOME'], ...own };
    const fixed = { PATH: path, NO_COLOR: '1', AIQ_PROVIDER: 'offline', NODE_EXTRA_CA_CERTS };
    this.#env = { ...fixed, ...folders, ...npm, ...more };
  }

  async run(file: string, args: readonly string[], cwd: string): Promise<Ended> {
    const child = spawn(file, args, { cwd, env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
    const [[code], stdout, stderr] = await Promise.all([
      once(child, 'close'),
      text(child.stdout),
      text(child.stderr),
    ]);
    return { code: code as number | null, stdout, stderr };
  }

  /** What it printed. */
  async succeed(file: string, args: readonly string[], cwd: string): Promise<string> {
    const ended = await this.run(file, args, cwd);
    expect(ended, ended.stderr + ended.stdout).toMatchObject({ code: 0 });
    return ended.stdout;
  }
}
