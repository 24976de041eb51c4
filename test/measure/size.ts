/**
 * `node test/measure/size.ts [CLONE]`: prints the size of `core/` and `test/`: lines as `wc -l` counts
 * them, files, full folders, lengths of functions with a body, floors of the state machine, circles.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, posix, resolve } from 'node:path';
import { parseSync } from 'vite';
import { importsOf, resolveImport } from '../tidy/rules/imports.ts';

const root = resolve(process.argv[2] ?? '.');
const machines = ['core/broker/state-machine/', 'core/broker/queue/'];
const smallLines = 40;
const fullFiles = 15;

const tracked = execFileSync('git', ['ls-files', 'core', 'test'], { cwd: root, encoding: 'utf8' });
const sources = new Map(
  tracked
    .split('\n')
    .filter((path) => path.endsWith('.ts'))
    .map((path) => [path, readFileSync(join(root, path), 'utf8')]),
);

for (const folder of ['core', 'test']) printFolder(folder);
printMachine();

function printFolder(folder: string): void {
  const files = [...sources].filter(([path]) => path.startsWith(`${folder}/`));
  const lines = files.map(([, source]) => linesOf(source)).sort(ascending);
  const perFolder = Map.groupBy(files, ([path]) => posix.dirname(path));
  const full = [...perFolder].filter(([, within]) => within.length > fullFiles);
  const lengths = files.flatMap(([path, source]) => functionLines(path, source)).sort(ascending);
  print(
    `${folder}: lines`,
    lines.reduce((sum, count) => sum + count, 0),
  );
  print(
    `${folder}: files`,
    `${files.length}, median ${share(lines, 0.5)}, p90 ${share(lines, 0.9)}`,
  );
  print(`${folder}: files under ${smallLines} lines`, lines.filter((n) => n < smallLines).length);
  print(
    `${folder}: folders over ${fullFiles} files`,
    `${full.length} of ${perFolder.size}: ${full.map(([name, { length }]) => `${name} ${length}`).join(', ')}`,
  );
  print(
    `${folder}: functions`,
    `${lengths.length}, p50 ${share(lengths, 0.5)}, p90 ${share(lengths, 0.9)}, longest ${lengths.at(-1)}`,
  );
}

/** Floors: the longest chain of imports, types included, where a circle is one floor. */
function printMachine(): void {
  const files = [...sources.keys()].filter((path) => machines.some((it) => path.startsWith(it)));
  const roomOf = (path: string): string => posix.dirname(path);
  const rooms = new Map<string, Set<string>>();
  for (const [from, targets] of edgesOf(files)) {
    const room = rooms.get(roomOf(from)) ?? new Set();
    rooms.set(roomOf(from), room);
    for (const target of targets) if (roomOf(target) !== roomOf(from)) room.add(roomOf(target));
  }
  print('state machine: files', files.length);
  print('state machine: floors of files', floors(edgesOf(files)));
  print('state machine: rooms and their floors', `${rooms.size}, ${floors(rooms)}`);
  const circles = circlesOf(edgesOf([...sources.keys()].filter((it) => it.startsWith('core/'))));
  print(
    'core: circles, types included',
    `${circles.length} ${circles.map((it) => it.join(' ')).join('; ')}`,
  );
}

function edgesOf(files: readonly string[]): Map<string, Set<string>> {
  const known = new Set(files);
  return new Map(
    files.map((path) => [
      path,
      new Set(
        importsOf(sources.get(path) ?? '')
          .filter(({ kind }) => kind === 'value' || kind === 'type')
          .flatMap(({ specifier }) => resolveImport(path, specifier) ?? [])
          .filter((target) => known.has(target)),
      ),
    ]),
  );
}

/** Everything that can be reached, by a file. */
function reachOf(edges: ReadonlyMap<string, ReadonlySet<string>>): Map<string, Set<string>> {
  return new Map(
    [...edges.keys()].map((start) => {
      const reached = new Set<string>();
      const open = [start];
      for (const path of open) {
        for (const target of edges.get(path) ?? []) {
          if (reached.has(target)) continue;
          reached.add(target);
          open.push(target);
        }
      }
      return [start, reached];
    }),
  );
}

function circlesOf(edges: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const reach = reachOf(edges);
  const circles = new Map<string, string[]>();
  for (const [path, reached] of reach) {
    if (!reached.has(path)) continue;
    const members = [...reached].filter((other) => reach.get(other)?.has(path) === true).sort();
    circles.set(members[0] ?? path, members);
  }
  return [...circles.values()];
}

function floors(edges: ReadonlyMap<string, ReadonlySet<string>>): number {
  const reach = reachOf(edges);
  const isPeer = (one: string, other: string): boolean =>
    one === other ||
    ((reach.get(one)?.has(other) ?? false) && (reach.get(other)?.has(one) ?? false));
  const known = new Map<string, number>();
  const floorOf = (path: string): number => {
    const before = known.get(path);
    if (before !== undefined) return before;
    const peers = [...edges.keys()].filter((other) => isPeer(path, other));
    const below = peers.flatMap((peer) => [...(edges.get(peer) ?? [])]);
    const own = 1 + Math.max(0, ...below.filter((it) => !isPeer(path, it)).map(floorOf));
    for (const peer of peers) known.set(peer, own);
    return own;
  };
  return Math.max(0, ...[...edges.keys()].map(floorOf));
}

/** Lines of each function that has a body in braces, methods and accessors included. */
function functionLines(path: string, source: string): number[] {
  const { program } = parseSync(path, source);
  const found: number[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(visit);
    if (typeof value !== 'object' || value === null) return;
    const node = value as { type?: string; start: number; end: number; body?: { type?: string } };
    if (
      /Function/.test(node.type ?? '') &&
      /^(?:BlockStatement|FunctionBody)$/.test(node.body?.type ?? '')
    ) {
      found.push(linesOf(source.slice(node.start, node.end)) + 1);
    }
    Object.values(node).forEach(visit);
  };
  visit(program);
  return found;
}

function linesOf(text: string): number {
  return text.split('\n').length - 1;
}

function ascending(left: number, right: number): number {
  return left - right;
}

function share(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

function print(name: string, value: string | number): void {
  process.stdout.write(`${name.padEnd(40)} ${value}\n`);
}
