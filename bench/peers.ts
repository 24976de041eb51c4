/**
 * aiq beside the queues that one would take instead, on the same work: every one that is found here, in
 * turns, repetition by repetition, each server on fresh data; installs no server, and says what is missing.
 * `npm run bench -- peers [--part NAME…] [--peers a,b] [--repetitions 7] [--json FILE] [--svg FILE]`
 */

import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { print } from './measure/figures.ts';
import { cleanUpOnSignals } from './measure/temporary.ts';
import { backlogParts } from './parts/backlog.ts';
import { Comparison } from './parts/comparison.ts';
import { consumeParts } from './parts/consume.ts';
import { countSyncs, noStrace } from './parts/durability.ts';
import { enqueueParts } from './parts/enqueue.ts';
import { ownParts } from './parts/own.ts';
import type { Part } from './parts/part.ts';
import { machineLines } from './report/machine.ts';
import type { PeerInfo, Results } from './report/results.ts';
import { svgOf } from './report/svg.ts';
import { targetsOf } from './report/targets.ts';
import { partLines, peerLines, targetLines } from './report/text.ts';
import { allPeers } from './server/find-peers.ts';
import { installPackages } from './server/packages.ts';
import type { Peer } from './server/peer.ts';

const allParts: readonly Part[] = [...enqueueParts, ...consumeParts, ...backlogParts, ...ownParts];
const installCommand = 'apt-get install -y --no-install-recommends';

class UsageError extends Error {}

cleanUpOnSignals();
try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`error: ${error.message}\n`);
  process.exitCode = 2;
}

async function main(): Promise<number> {
  const startMs = performance.now();
  const options = readOptions();
  const peers = found(chosen(await allPeers(), options.peers, 'peer', ['aiq']));
  installPackages(peers);
  const machine = await machineLines();
  print(machine.join('\n'));
  const infos = await introduce(peers);
  print(
    `${options.repetitions} repetitions in turns; windows of ${options.settings.windowMs} ms after ${options.settings.warmUpMs} ms`,
  );
  const comparison = new Comparison(peers, options);
  const results: Results = {
    machine,
    peers: infos,
    parts: await comparison.run(options.parts, (part) => print(partLines(part, infos).join('\n'))),
  };
  const minutes = ((performance.now() - startMs) / 60_000).toFixed(1);
  print(`\nafter ${minutes} minutes, load ${loadavg()[0]?.toFixed(1)}`);
  const targets = targetsOf(results);
  print(targetLines(targets).join('\n'));
  const { json, svg } = options;
  if (json !== undefined) await writeFile(json, JSON.stringify({ ...results, targets }, null, 1));
  if (svg !== undefined) await writeFile(svg, svgOf(results));
  return comparison.failures === 0 ? 0 : 1;
}

function readOptions() {
  const { values, positionals } = parse();
  const count = (name: 'repetitions' | 'window' | 'backlog'): number => {
    const number = Number(values[name]);
    if (Number.isSafeInteger(number) && number > 0) return number;
    throw new UsageError(`--${name} takes a whole number from 1 up`);
  };
  const names = [...(values.part ?? []), ...positionals].flatMap((name) => name.split(','));
  const parts = names.length === 0 ? targetParts() : chosen(allParts, names, 'part');
  const windowMs = count('window');
  const warmUpMs = Math.ceil(windowMs / 3);
  const settings = { windowMs, warmUpMs, backlogJobs: count('backlog') };
  const { json, svg } = values;
  const named = values.peers?.split(',');
  return { parts, peers: named, settings, repetitions: count('repetitions'), json, svg };
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        part: { type: 'string', multiple: true },
        peers: { type: 'string' },
        repetitions: { type: 'string', default: '7' },
        /** Milliseconds. */
        window: { type: 'string', default: '1500' },
        /** Jobs of the longest one. */
        backlog: { type: 'string', default: '1000000' },
        json: { type: 'string' },
        svg: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Where no target needs a peer, aiq alone: the peers take their time. */
function targetParts(): Part[] {
  const parts = allParts.filter(({ isTarget }) => isTarget);
  return parts.map((part) => ({ ...part, isOwn: part.repeats !== 'all' || part.isOwn === true }));
}

/** Those that are named, all when none is, in their own order. @throws UsageError for one that there is not */
function chosen<T extends { readonly name: string }>(
  all: readonly T[],
  names: readonly string[] | undefined,
  what: string,
  always: readonly string[] = [],
): T[] {
  if (names === undefined) return [...all];
  const unknown = names.find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined) {
    const known = all.map(({ name }) => name).join(', ');
    throw new UsageError(`there is no ${what} "${unknown}"; there are: ${known}`);
  }
  return all.filter(({ name }) => [...always, ...names].includes(name));
}

/** Those whose server is here; prints what would bring the others in. */
function found(peers: readonly Peer[]): Peer[] {
  const missing = peers.filter((peer) => peer.version() === null);
  for (const { title, debianPackage } of missing) {
    print(`${title}: not here; ${installCommand} ${debianPackage}`);
  }
  return peers.filter((peer) => !missing.includes(peer));
}

/** Prints every setting that matters, and what each one syncs. */
async function introduce(peers: readonly Peer[]): Promise<PeerInfo[]> {
  if (noStrace !== null) print(`sync calls: ${noStrace}`);
  const infos: PeerInfo[] = [];
  for (const peer of peers) {
    const { name, title, isDurable, settings, packages } = peer;
    const version = peer.version() ?? 'unknown';
    const syncs = noStrace === null ? await countSyncs(peer) : null;
    const info = { name, title, version, isDurable, settings, packages, syncs };
    print(peerLines([info]).join('\n'));
    infos.push(info);
  }
  return infos;
}
