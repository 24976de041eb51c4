/** A comparison as a picture: a panel for each figure, a bar for each peer, a line from least to most. */

import { median } from '../measure/figures.ts';
import type { FigureResult, Results } from './results.ts';
import { taken } from './results.ts';
import { nameOf } from './text.ts';

const width = 960;
const nameWidth = 240;
const valueWidth = 190;
const rowHeight = 22;
const barHeight = 14;
const headHeight = 34;
const margin = 20;
const barWidth = width - nameWidth - valueWidth - 2 * margin;
const colours = { aiq: '#c2410c', durable: '#475569', relaxed: '#cbd5e1', range: '#0f172a' };

export function svgOf(results: Results): string {
  const parts: string[] = [];
  let y = margin;
  for (const part of results.parts) {
    parts.push(text(margin, y + 16, part.title, 'font-weight="bold" font-size="15"'));
    y += 24;
    for (const figure of part.figures) {
      parts.push(...panel(figure, results, y));
      y += headHeight + figure.series.length * rowHeight;
    }
    y += margin;
  }
  for (const line of results.machine) {
    parts.push(text(margin, y + 12, line, 'font-size="11" fill="#64748b"'));
    y += 16;
  }
  const height = y + margin;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
${parts.join('\n')}
</svg>
`;
}

function panel(figure: FigureResult, results: Results, top: number): string[] {
  const better = figure.better === 'more' ? 'longer is better' : 'shorter is better';
  const most = Math.max(...figure.series.flatMap(taken), Number.MIN_VALUE);
  const rows = figure.series.map((series, at) => {
    const y = top + headHeight - 8 + at * rowHeight;
    const name = text(margin, y + 11, nameOf(series.peer, results.peers), '');
    const values = taken(series);
    if (values.length === 0) return `${name}${text(margin + nameWidth, y + 11, 'failed', '')}`;
    const place = (value: number): number => (value / most) * barWidth;
    const least = place(Math.min(...values));
    const span = place(Math.max(...values)) - least;
    const digits = figure.digits;
    const range = [Math.min(...values), Math.max(...values)].map((value) => shown(value, digits));
    const label = `${shown(median(values), digits)} [${range.join('–')}]`;
    return [
      name,
      rect(
        [margin + nameWidth, y],
        place(median(values)),
        barHeight,
        colourOf(series.peer, results),
      ),
      rect([margin + nameWidth + least, y + barHeight / 2 - 1], span, 2, colours.range),
      text(margin + nameWidth + barWidth + 8, y + 11, label, ''),
    ].join('');
  });
  return [text(margin, top + 14, `${figure.title} (${better})`, 'fill="#334155"'), ...rows];
}

function colourOf(peer: string, { peers }: Results): string {
  if (peer === 'aiq') return colours.aiq;
  return peers.find(({ name }) => name === peer)?.isDurable === true
    ? colours.durable
    : colours.relaxed;
}

function shown(value: number, digits: number): string {
  return value.toLocaleString('en', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

type Place = readonly [x: number, y: number];

function rect([x, y]: Place, wide: number, high: number, fill: string): string {
  const [left, width_] = [x, Math.max(wide, 1)].map((value) => value.toFixed(1));
  return `<rect x="${left}" y="${y}" width="${width_}" height="${high}" fill="${fill}"/>`;
}

function text(x: number, y: number, words: string, attributes: string): string {
  const safe = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x}" y="${y}" ${attributes}>${safe}</text>`;
}
