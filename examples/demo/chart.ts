/**
 * Curves in braille dots, 2 by 4 to a character, each named at its end.
 *
 * @module
 */

/** A curve. */
export interface Series {
  /** Stands at the end of the curve, before its last value. */
  name: string;
  /** Values at equal distances. */
  values: readonly number[];
  /** Dots with gaps, for readers without colour. */
  dotted: boolean;
  /** Colours the curve and its name. */
  paint: (text: string) => string;
}

/** The size of a chart. */
export interface ChartSize {
  /** Characters across, names and numbers included. */
  columns: number;
  /** About how many lines the curves take. */
  lines: number;
  /** Whole numbers that the values lie between. */
  range: readonly [bottom: number, top: number];
}

/** The dot at (x, y) of a braille character; U+2800 plus the sum of its dots. */
const DOTS = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/**
 * Draws the curves over one axis; `from` and `to` are written below its ends.
 * Every line takes `columns` characters, so that charts can stand side by side.
 */
export function drawChart(
  series: readonly Series[],
  size: ChartSize,
  from: string,
  to: string,
): string[] {
  const [bottom, top] = size.range;
  // Whole lines for each unit, so that a whole number stands beside each.
  const linesPerUnit = Math.max(1, Math.round(size.lines / (top - bottom)));
  const lines = (top - bottom) * linesPerUnit;
  const names = series.map((one) =>
    `${one.name}${one.values.at(-1)!.toFixed(2)}`
  );
  const margin = String(top).length + 3;
  const ends = Math.max(...names.map((name) => name.length)) + 1;
  const columns = size.columns - margin - ends;
  const lineOf = (value: number) =>
    Math.min(4 * lines - 1, Math.round((top - value) * 4 * linesPerUnit));

  // The dots, and which curve drew in a cell last.
  const cells = Array.from({ length: lines }, () => new Uint8Array(columns));
  const owner = cells.map(() => new Int8Array(columns).fill(-1));
  for (const [s, { values, dotted }] of series.entries()) {
    const last = 2 * columns - 1;
    let previous = lineOf(values[0]!), drawn = 0;
    for (let x = 0; x <= last; x++) {
      const place = x / last * (values.length - 1);
      const i = Math.min(Math.floor(place), values.length - 2);
      const value = values.length === 1
        ? values[0]!
        : values[i]! + (place - i) * (values[i + 1]! - values[i]!);
      const y = lineOf(value);
      // A steep curve fills the dots between this column and the one before.
      const step = y < previous ? -1 : 1;
      for (let dot = previous === y ? y : previous + step;; dot += step) {
        if (!dotted || drawn++ % 4 < 2) {
          cells[dot >> 2]![x >> 1]! |= DOTS[dot & 3]![x & 1]!;
          owner[dot >> 2]![x >> 1] = s;
        }
        if (dot === y) break;
      }
      previous = y;
    }
  }

  const places = placeNames(
    series.map((one) => lineOf(one.values.at(-1)!) >> 2),
    lines,
  );
  const body = cells.map((cellsOfLine, line) => {
    const tick = line % linesPerUnit === 0
      ? `${String(top - line / linesPerUnit).padStart(margin - 2)} ┤`
      : `${" ".repeat(margin - 1)}│`;
    const dots = Array.from(cellsOfLine, (cell, column) => {
      const text = cell === 0 ? " " : String.fromCharCode(0x2800 + cell);
      const s = owner[line]![column]!;
      return s < 0 ? text : series[s]!.paint(text);
    }).join("");
    const named = places.indexOf(line);
    return tick + dots +
      (named < 0
        ? " ".repeat(ends)
        : " " + series[named]!.paint(names[named]!.padEnd(ends - 1)));
  });
  const floor = `${String(bottom).padStart(margin - 2)} └${
    "─".repeat(columns)
  }`;
  const under = " ".repeat(margin) + from + to.padStart(columns - from.length);
  return [...body, ...[floor, under].map((line) => line.padEnd(size.columns))];
}

/** A line for each name, as near as can be to the wished one, no two the same. */
function placeNames(wishes: readonly number[], lines: number): number[] {
  const order = wishes.map((_, i) => i).sort((a, b) => wishes[a]! - wishes[b]!);
  const places: number[] = [];
  let next = 0;
  for (const i of order) next = (places[i] = Math.max(wishes[i]!, next)) + 1;
  // Pushed below the last line: back up from there.
  let limit = lines - 1;
  for (const i of order.reverse()) {
    limit = (places[i] = Math.min(places[i]!, limit)) - 1;
  }
  return places;
}
