/** Configurations written into temporary folders, read without the machine's own settings. */

import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  type Config,
  ConfigError,
  type ConfigRequest,
  loadConfig,
} from '../../../core/config/index.ts';

/** Writes files below a new folder that goes when the test ends; the folder is a repository's root. */
export function folderWith(files: { readonly [path: string]: string }): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'aiq-config-')));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, '.git'));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

export type Extras = Omit<Partial<ConfigRequest>, 'cwd'>;

/** Reads the configuration of a folder; `HOME` is the folder itself unless `env` says otherwise. */
export function load(cwd: string, extras: Extras = {}): Config {
  return loadConfig({ cwd, ...extras, env: { HOME: join(cwd, 'home'), ...extras.env } });
}

/** The lines of the error that a configuration text causes, its folder cut off. */
export function problemsOf(text: string, extras: Extras = {}): string[] {
  const root = folderWith({ 'aiq.config.yaml': text });
  try {
    load(root, extras);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message
      .split('\n')
      .map((line) => line.replace(`${root}/aiq.config.yaml:`, ''))
      .filter((line) => line !== 'the configuration cannot be used');
  }
}
