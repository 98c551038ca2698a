// A tensor's summary as a picture: its numbers or a heat map, its moments, its histogram.
import { signed } from "./colour";
import { h, s } from "./dom";
import { type Num, counted, finite, shapeText, spoken } from "./numbers";
import type { Key } from "./words";

export interface Summary {
  shape: number[];
  dtype: string;
  mean: Num | null;
  std: Num | null;
  min: Num | null;
  max: Num | null;
  norm: Num | null;
  zeros: number;
  nan: number;
  inf: number;
  histogram: { edges: number[]; counts: number[] } | null;
  thumbnail: {
    values: (number | null)[][];
    glyphs: [number, number, "nan" | "inf" | "-inf"][];
    exact: boolean;
  } | null;
}

type Word = (key: Key, values?: Record<string, string | number>) => string;

const READ_COLUMNS = 6;
const READ_ROWS = 10;
const WIDTH = 312;

export function tensor(summary: Summary, word: Word): DocumentFragment {
  const fragment = new DocumentFragment();
  const grid = summary.thumbnail ? cells(summary.thumbnail) : [];
  const columns = Math.max(0, ...grid.map((row) => row.length));
  const readable = summary.thumbnail?.exact && columns <= READ_COLUMNS && grid.length <= READ_ROWS;
  const single = summary.shape.every((size) => size === 1);
  if (grid.length) {
    if (single) fragment.append(h("p", { class: "lt-single" }, spoken(grid[0]?.[0] ?? null, 6)));
    else if (readable) fragment.append(matrix(grid));
    else fragment.append(heatMap(grid, summary, word));
  }
  if (!single || !grid.length) fragment.append(figures(summary, word));
  return fragment;
}

/** The tensor in figures: its moments, and its histogram where it has elements enough for one. */
export function figures(summary: Summary, word: Word): DocumentFragment {
  const fragment = new DocumentFragment();
  fragment.append(moments(summary, word));
  if (summary.histogram && summary.histogram.counts.length > 1 && !tiny(summary))
    fragment.append(histogram(summary.histogram, word));
  return fragment;
}

/** The thumbnail with its NaN and infinities put back where they are. */
function cells(thumbnail: NonNullable<Summary["thumbnail"]>): (Num | null)[][] {
  const grid: (Num | null)[][] = thumbnail.values.map((row) => [...row]);
  for (const [row, column, glyph] of thumbnail.glyphs) {
    const line = grid[row];
    if (line) line[column] = glyph;
  }
  return grid;
}

function tiny(summary: Summary): boolean {
  return summary.shape.reduce((product, size) => product * size, 1) < 8;
}

function largest(grid: (Num | null)[][]): number {
  return Math.max(0, ...grid.flat().filter(finite).map(Math.abs));
}

/** Small enough to read: the numbers themselves, tinted so lightly that ink stays legible. */
function matrix(grid: (Num | null)[][]): HTMLElement {
  const limit = largest(grid);
  return h(
    "table",
    { class: "lt-matrix" },
    h(
      "tbody",
      {},
      ...grid.map((row) =>
        h(
          "tr",
          {},
          ...row.map((value) => {
            const cell = h("td", {}, spoken(value, 4));
            if (finite(value)) cell.style.background = signed(value, limit, 0.42);
            else cell.classList.add("lt-odd");
            return cell;
          }),
        ),
      ),
    ),
  );
}

function heatMap(given: (Num | null)[][], summary: Summary, word: Word) {
  // The pane is wide and low: what is tall and thin lies down.
  const wide = Math.max(...given.map((row) => row.length));
  const lying = given.length > 2 * wide && given.length > 10;
  const grid = lying
    ? Array.from({ length: wide }, (_, j) => given.map((row) => row[j] ?? null))
    : given;
  const columns = lying ? given.length : wide;
  const size = Math.max(4, Math.min(22, Math.floor(WIDTH / columns)));
  const limit = largest(grid);
  const glyphs = size >= 12;
  const picture = s("svg", {
    class: "lt-heat",
    viewBox: `0 0 ${columns * size} ${grid.length * size}`,
    width: columns * size,
    height: grid.length * size,
    role: "img",
    "aria-label": word("pane.heat", { shape: shapeText(summary.shape) }),
  });
  grid.forEach((row, i) => {
    row.forEach((value, j) => {
      const box = { x: j * size, y: i * size, width: size, height: size };
      const rect = s("rect", box, s("title", {}, spoken(value, 4)));
      picture.append(rect);
      if (finite(value)) rect.style.fill = signed(value, limit);
      else rect.classList.add("lt-odd");
      const glyph = finite(value)
        ? glyphs && Math.abs(value) > limit / 3 && (value < 0 ? "−" : "+")
        : value === "nan"
          ? "×"
          : value && spoken(value);
      if (!glyph) return;
      const middle = { x: (j + 0.5) * size, y: (i + 0.5) * size, "font-size": Math.min(size, 12) };
      const sign = finite(value) && value < 0 ? "negative" : "positive";
      const strong = finite(value) && Math.abs(value) > limit * 0.6;
      const tone = !finite(value) ? "odd" : strong ? sign : "weak";
      picture.append(s("text", { ...middle, class: `lt-glyph-${tone}` }, glyph));
    });
  });
  const notes = [!summary.thumbnail?.exact && word("pane.averaged"), lying && word("pane.transposed")];
  return h(
    "figure",
    { class: "lt-figure" },
    picture,
    h("figcaption", {}, scaleLegend(limit), h("span", {}, notes.filter(Boolean).join(" · "))),
  );
}

/** −limit, zero, +limit under the colours they have. */
function scaleLegend(limit: number): HTMLElement {
  return h(
    "span",
    { class: "lt-scale" },
    spoken(-limit, 2),
    h("i", { "aria-hidden": "true" }),
    `+${spoken(limit, 2)}`,
  );
}

function moments(summary: Summary, word: Word): HTMLElement {
  const entries: [string, string][] = [
    [word("pane.mean"), spoken(summary.mean)],
    [word("pane.std"), spoken(summary.std)],
    [word("pane.min"), spoken(summary.min)],
    [word("pane.max"), spoken(summary.max)],
    [word("pane.norm"), spoken(summary.norm)],
    [word("pane.zeros"), `${spoken(summary.zeros * 100, 3)} %`],
  ];
  if (summary.nan) entries.push([word("pane.nan"), counted(summary.nan)]);
  if (summary.inf) entries.push([word("pane.inf"), counted(summary.inf)]);
  return h(
    "dl",
    { class: "lt-moments" },
    ...entries.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

function histogram({ edges, counts }: NonNullable<Summary["histogram"]>, word: Word): HTMLElement {
  const width = WIDTH;
  const height = 44;
  const low = edges[0] ?? 0;
  const high = edges[edges.length - 1] ?? 1;
  const across = (value: number) => ((value - low) / (high - low || 1)) * width;
  const most = Math.max(1, ...counts);
  const picture = s("svg", {
    class: "lt-histogram",
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": `${word("pane.histogram")}: ${spoken(low)} … ${spoken(high)}`,
  });
  counts.forEach((count, i) => {
    const [left, right] = [edges[i] ?? 0, edges[i + 1] ?? 0];
    const tall = count ? Math.max(1.5, (count / most) * (height - 2)) : 0;
    const x = across(left);
    picture.append(
      s(
        "rect",
        {
          x: x + 0.5,
          y: height - tall,
          width: Math.max(0.5, across(right) - x - 1),
          height: tall,
          class: left + right < 0 ? "lt-negative" : "lt-positive",
        },
        s("title", {}, `${spoken(left)} … ${spoken(right)}: ${counted(count)}`),
      ),
    );
  });
  if (low < 0 && high > 0)
    picture.append(s("line", { x1: across(0), x2: across(0), y1: 0, y2: height }));
  return h(
    "figure",
    { class: "lt-figure" },
    picture,
    h("figcaption", { class: "lt-ends" }, h("span", {}, spoken(low)), h("span", {}, spoken(high))),
  );
}
