/**
 * What aiq needs of the machine, as pure functions: which platforms and which Node. Plain
 * JavaScript that Node 20 can run, because it decides what to do on a Node that is too old.
 */

/** Oldest Node that runs aiq: the first of the 24 line that strips types without a warning. */
export const nodeVersionMin = '24.17.0';

/**
 * @param {string} version such as `24.21.0`
 * @returns {boolean}
 */
export function isNodeEnough(version) {
  const have = version.split('.').map(Number);
  const need = nodeVersionMin.split('.').map(Number);
  const different = need.findIndex((part, index) => part !== have[index]);
  return different === -1 || (have[different] ?? 0) > (need[different] ?? 0);
}

/**
 * @param {string} platform as `process.platform` names it
 * @returns {string | null} what is wrong and the way out, or null
 */
export function platformProblem(platform) {
  if (platform !== 'win32') return null;
  return [
    'aiq does not run on Windows: it needs Unix sockets guarded by folder modes.',
    'It runs in WSL: open a Linux shell (`wsl --install` sets one up), clone there, and run the same command.',
  ].join('\n');
}

/**
 * Files where a newer Node can be, best first: the one that set-up fetched, then one that somebody
 * installed as a package.
 *
 * @param {string} root folder of the clone or package, absolute
 * @param {string} platform as `process.platform` names it
 * @param {string} arch as `process.arch` names it
 * @returns {string[]}
 */
export function nodeCandidates(root, platform, arch) {
  const binary = `node_modules/node-${platform}-${arch}/bin/node`;
  return [`${root}/.node/${binary}`, `${root}/${binary}`];
}

/**
 * @param {string} version the Node that is running
 * @returns {string} what is wrong and the way out
 */
export function oldNodeProblem(version) {
  return [
    `aiq needs Node ${nodeVersionMin} or newer; this is ${version}.`,
    'In a clone on Linux, `npm run demo` or `npm test` fetches a private copy into .node/ once.',
    'Elsewhere install Node 24 from https://nodejs.org/en/download and run the same command again.',
  ].join('\n');
}
