/** A comparison as lines of text. */

import { median, percent, rangeOf } from '../measure/figures.ts';
import { type FigureResult, type PartResult, type PeerInfo, pairs, taken } from './results.ts';
import { isMet, type TargetResult } from './targets.ts';

/** For the longest title. */
const nameWidth = 34;

export function peerLines(peers: readonly PeerInfo[]): string[] {
  return peers.flatMap(({ title, version, isDurable, packages, settings, syncs }) => {
    const clients = Object.entries(packages).map(([name, one]) => `${name} ${one}`);
    const durable = isDurable ? 'D: answered after a sync' : 'R: answered without a sync';
    const counted =
      syncs === null
        ? 'sync calls not counted'
        : `sync calls for an acknowledged job: ${syncs.alone.toFixed(3)} one at a time, ${syncs.together.toFixed(3)} with 64 in flight`;
    return [
      `${[`${title} ${version}`, ...clients].join(', ')} (${durable})`,
      ...settings.map((line) => `  ${line}`),
      `  ${counted}`,
    ];
  });
}

export function partLines(part: PartResult, peers: readonly PeerInfo[]): string[] {
  return ['', part.title, ...part.figures.flatMap((figure) => figureLines(figure, peers))];
}

function figureLines(figure: FigureResult, peers: readonly PeerInfo[]): string[] {
  const aiq = figure.series.find(({ peer }) => peer === 'aiq');
  const lines = figure.series.map((series) => {
    const name = nameOf(series.peer, peers).padEnd(nameWidth);
    if (taken(series).length === 0) return `    ${name} failed`;
    const parts = [rangeOf(taken(series), figure.digits)];
    if (aiq !== undefined && aiq !== series && pairs(aiq, series).length > 0) {
      parts.push(`aiq ${rangeOf(pairs(aiq, series), 2)} ×`);
    }
    parts.push(`paused ${percent(median(series.paused))}`);
    return `    ${name} ${parts.join('   ')}`;
  });
  return [`  ${figure.title}, median [least–most]`, ...lines];
}

export function nameOf(peer: string, peers: readonly PeerInfo[]): string {
  const found = peers.find(({ name }) => name === peer);
  return found === undefined ? peer : `${found.title} (${found.isDurable ? 'D' : 'R'})`;
}

/** Of those that were measured. */
export function targetLines(targets: readonly TargetResult[]): string[] {
  const measured = targets.filter(({ value }) => value !== null);
  if (measured.length === 0) return [];
  const rows = measured.map((target) => [
    target.title,
    `${target.value?.toFixed(target.digits)}${target.unit}`,
    verdict(target, target.must),
    verdict(target, target.stretch),
  ]);
  const table = [['target', 'measured', 'must', 'stretch'], ...rows];
  const widths = [0, 1, 2, 3].map((at) => Math.max(...table.map((row) => (row[at] ?? '').length)));
  const left = targets.length - measured.length;
  return [
    '',
    ...table.map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    ),
    ...(left === 0 ? [] : [`${left} more targets were not measured`]),
  ];
}

function verdict(target: TargetResult, limit: number | null): string {
  if (limit === null) return '–';
  const sign = target.better === 'more' ? '≥' : '≤';
  const met = isMet(target, limit);
  const word = met === null ? '' : met ? ' met' : ' MISSED';
  return `${sign} ${limit}${target.unit}${word}`;
}
