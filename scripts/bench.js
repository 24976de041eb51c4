/** `npm run bench -- <name> [arguments…]`: runs one measurement of `bench/`, or lists them. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runInPlace } from '../bin/child.js';
import { exited } from './tools.js';

/**
 * @param {string[]} args the name of a measurement and what it takes; empty for the list
 * @param {{ root: string, node: string, env: NodeJS.ProcessEnv }} on
 * @returns {Promise<import('./tools.js').End>}
 */
export async function bench([name, ...args], { root, node, env }) {
  const names = await measurements(root);
  if (name === undefined) {
    const rows = await Promise.all(names.map((one) => row(root, one)));
    process.stdout.write(`usage: npm run bench -- <name> [arguments]\n\n${rows.join('')}`);
    return exited(0);
  }
  if (!names.includes(name)) {
    const known = names.join(', ') || 'none';
    process.stderr.write(`error: bench/ has no measurement "${name}"; there are: ${known}\n`);
    return exited(2);
  }
  return runInPlace(node, [join(root, 'bench', `${name}.ts`), ...args], { cwd: root, env });
}

/**
 * The files directly in `bench/`; what they share lies in folders below.
 *
 * @param {string} root
 */
async function measurements(root) {
  const files = await readdir(join(root, 'bench'));
  return files
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -'.ts'.length))
    .sort();
}

/**
 * The name and the first sentence of the file's head comment.
 *
 * @param {string} root
 * @param {string} name
 */
async function row(root, name) {
  const source = await readFile(join(root, 'bench', `${name}.ts`), 'utf8');
  const [, comment = ''] = /^\/\*\*([\s\S]*?)\*\//.exec(source) ?? [];
  const text = comment.replace(/\s*\n\s*\*\s?/g, ' ').trim();
  const [sentence = ''] = text.split(/(?<=[.:])\s/);
  return `  ${name.padEnd(20)} ${sentence.replace(/:$/, '.')}\n`;
}
