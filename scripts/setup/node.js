/**
 * Finds a Node that is new enough: the running one, or the pinned one that npm brings into the
 * git-ignored `.node/`. Its lock file carries the checksums, so npm refuses any other bytes.
 */

import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isNodeEnough, nodeCandidates, oldNodeProblem } from '../../bin/machine.js';
import { isInstalled } from './installed.js';
import { npm, run, SetupError, say } from './npm.js';

/**
 * @param {string} root the clone, absolute
 * @returns {Promise<string>} path of a Node that is new enough
 * @throws {SetupError} when this machine needs one that npm does not have
 */
export async function ensureNode(root) {
  const version = process.versions.node;
  if (isNodeEnough(version)) return process.execPath;

  const [node = ''] = nodeCandidates(root, process.platform, process.arch);
  const source = join(root, 'scripts/node-runtime');
  const target = join(root, '.node');
  if (isInstalled({ lockDir: source, dir: target, dev: false, also: [node] })) return node;

  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    throw new SetupError(oldNodeProblem(version));
  }
  say(`Node ${version} is too old; fetching a private Node 24 into .node/ (once)`);
  await mkdir(target, { recursive: true });
  for (const file of ['package.json', 'package-lock.json']) {
    await copyFile(join(source, file), join(target, file));
  }
  await npm(['ci', '--include=optional'], target);
  await assertRuns(node);
  return node;
}

/**
 * A binary for another C library installs without complaint and then does not start.
 *
 * @param {string} node
 * @throws {SetupError}
 */
async function assertRuns(node) {
  const { code, output } = await run(node, ['--print', 'process.versions.node']);
  if (code === 0 && isNodeEnough(output.trim())) return;
  throw new SetupError(
    `${node} does not run here: ${output.trim()}\n${oldNodeProblem(process.versions.node)}`,
  );
}
