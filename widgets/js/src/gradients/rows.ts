// The step at the cursor: a row a layer, in order of depth, that opens to its parameters.
import { symlog } from "../shared/colour";
import { button, h, label, s, set } from "../shared/dom";
import { type Num, finite, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { Measures, Row, What } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;

const BAR = { width: 190, height: 14 };
const SPARK = { width: 84, height: 20 };
const RATIO = { width: 104, height: 14, low: -7, high: 1 }; // decades
const HEALTHY = [-4, -2] as const;
const CLOSED = "M5.5 3 11 8l-5.5 5z";
const OPEN = "M3 5.5h10L8 11z";

export interface Acts {
  open(key: string, part: string): void;
  point(key: string | null): void;
}

export class Rows {
  readonly element: HTMLElement;
  private readonly head = h("thead");
  private readonly body = h("tbody");
  private readonly lines = new Map<string, Line>();
  private readonly unfolded = new Set<string>();
  private last: { rows: Row[]; what: What } = { rows: [], what: "parameters" };

  constructor(
    private readonly word: Word,
    private readonly acts: Acts,
  ) {
    this.element = h(
      "div",
      { class: "lt-scroll lt-rows", tabindex: 0, role: "region" },
      h("table", { class: "lt-flow" }, this.head, this.body),
    );
  }

  speak(what: What): void {
    const { word } = this;
    const parameters = what === "parameters";
    const heads: [string, string?][] = [
      [word("gradients.layer")],
      [`${word("gradients.range")} (±100)`, word("gradients.symlog")],
      [word("gradients.norm")],
      [word("gradients.histogram")],
      [word("gradients.zeros")],
      [word(parameters ? "gradients.weight" : "gradients.std")],
      ...(parameters ? ([[word("gradients.ratio"), word("gradients.band")]] as [string, string][]) : []),
    ];
    this.head.replaceChildren(
      h("tr", {}, ...heads.map(([text, title]) => h("th", { scope: "col", title }, text))),
    );
    set(this.element, { "aria-label": word("gradients.title") });
  }

  draw(rows: Row[], what: What): void {
    if (what !== this.last.what) this.lines.clear();
    this.last = { rows, what };
    const shown: Line[] = [];
    for (const row of rows) {
      const folds = row.parts.length > 1;
      const open = this.unfolded.has(row.key);
      shown.push(this.line(row.key, "", row, row, what, folds ? open : null));
      if (folds && open)
        for (const part of row.parts)
          shown.push(this.line(`${row.key}\n${part.name}`, part.name, row, part, what, null));
    }
    const elements = shown.map((line) => line.element);
    const same =
      elements.length === this.body.children.length &&
      elements.every((element, i) => element === this.body.children[i]);
    if (!same) this.body.replaceChildren(...elements);
  }

  mark(key: string | null): void {
    for (const line of this.lines.values()) line.element.classList.toggle("lt-marked", line.key === key);
  }

  private line(id: string, part: string, row: Row, own: Measures, what: What, open: boolean | null): Line {
    let line = this.lines.get(id);
    if (!line) {
      line = new Line(row.key, part, this.word, this.acts, () => {
        if (!this.unfolded.delete(row.key)) this.unfolded.add(row.key);
        this.draw(this.last.rows, this.last.what);
      });
      this.lines.set(id, line);
    }
    line.fill(row, own, what, open);
    return line;
  }
}

class Line {
  readonly element: HTMLTableRowElement;
  private readonly cells: HTMLElement[];
  private readonly fold: HTMLButtonElement;
  private readonly name: HTMLButtonElement;
  private readonly type = h("span", { class: "lt-quiet lt-type" });
  private told = "";

  constructor(
    readonly key: string,
    private readonly part: string,
    private readonly word: Word,
    acts: Acts,
    unfold: () => void,
  ) {
    this.fold = button("", CLOSED, unfold, true);
    this.fold.classList.add("lt-fold");
    this.name = button("", null, () => acts.open(key, part));
    this.name.classList.add("lt-layer");
    this.cells = Array.from({ length: 6 }, () => h("td"));
    this.element = h(
      "tr",
      { "data-key": key, "data-part": part || null },
      h("th", { scope: "row" }, h("span", { class: "lt-names" }, this.fold, this.name, this.type)),
      ...this.cells,
    );
    if (part) this.element.classList.add("lt-part");
    this.element.addEventListener("pointerenter", () => acts.point(key));
    this.element.addEventListener("pointerleave", () => acts.point(null));
  }

  fill(row: Row, own: Measures, what: What, open: boolean | null): void {
    const { word, part } = this;
    const called = part || row.name;
    const tells = JSON.stringify([own, row.norm, row.second, row.third, what, open, word("gradients.title")]);
    if (tells === this.told) return;
    this.told = tells;
    this.fold.hidden = open === null;
    this.fold.querySelector("path")?.setAttribute("d", open ? OPEN : CLOSED);
    label(this.fold, "", word("gradients.unfold", { layer: row.name }));
    set(this.fold, { "aria-expanded": open === null ? null : String(open) });
    label(this.name, called, word("gradients.open", { layer: part ? `${row.name}.${part}` : row.name }));
    this.type.textContent = part ? "" : row.type;
    const parameters = what === "parameters";
    const weight = finite(own.value) && own.value > 0 ? own.value : null;
    const ratio = finite(own.update) && weight !== null ? own.update / weight : null;
    const [range, norm, histogram, zeros, size, update] = this.cells as [
      HTMLElement, HTMLElement, HTMLElement, HTMLElement, HTMLElement, HTMLElement,
    ];
    range.replaceChildren(rangeBar(own, word));
    const odd = own.nan + own.inf;
    norm.replaceChildren(
      odd
        ? h(
            "span",
            { class: "lt-odd", title: word("gradients.nonfinite", { count: odd }) },
            [own.nan && `${own.nan} NaN`, own.inf && `${own.inf} ∞`].filter(Boolean).join(" "),
          )
        : own.grad === null
          ? h("span", { class: "lt-quiet" }, word("gradients.none"))
          : spoken(own.grad),
    );
    norm.dataset.value = "norm";
    histogram.replaceChildren(own.histogram ? spark(own.histogram, word) : "");
    const share = parameters || part ? own.zeros : row.second;
    zeros.replaceChildren(finite(share) ? `${spoken(share * 100, 2)} %` : "–");
    zeros.classList.toggle("lt-many", finite(share) && share > 0.6);
    size.replaceChildren(spoken(parameters ? own.value : row.third));
    update.hidden = !parameters;
    update.replaceChildren(parameters ? ratioMark(ratio, word) : "");
  }
}

/** From the lowest to the highest element around a shared zero; the same scale everywhere. */
function rangeBar({ min, max, nan, inf }: Measures, word: Word): SVGElement {
  const { width, height } = BAR;
  const middle = width / 2;
  const known = finite(min) && finite(max);
  const low = known ? symlog(Math.min(min, 0)) : 0;
  const high = known ? symlog(Math.max(max, 0)) : 0;
  const picture = s("svg", {
    class: "lt-range",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "img",
    "aria-label": known ? `${spoken(min)} … ${spoken(max)}` : word("gradients.none"),
  });
  picture.append(
    s("rect", { class: "lt-track", width, height, rx: 3 }),
    s("rect", { class: "lt-negative", x: middle * (1 + low), width: -middle * low, height }),
    s("rect", { class: "lt-positive", x: middle, width: middle * high, height }),
    s("line", { x1: middle, x2: middle, y1: 0, y2: height }),
  );
  if (known) picture.append(s("title", {}, `${spoken(min)} … ${spoken(max)}`));
  if (nan + inf)
    picture.append(s("text", { class: "lt-odd", x: width - 4, y: 11 }, nan ? "NaN" : "∞"));
  return picture;
}

function spark({ edges, counts }: { edges: number[]; counts: number[] }, word: Word): SVGElement {
  const { width, height } = SPARK;
  const [low, high] = [edges[0] ?? 0, edges.at(-1) ?? 1];
  const most = Math.max(1, ...counts);
  const across = (value: number) => ((value - low) / (high - low || 1)) * width;
  const picture = s("svg", {
    class: "lt-spark",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "img",
    "aria-label": `${word("pane.histogram")}: ${spoken(low)} … ${spoken(high)}`,
  });
  counts.forEach((count, i) => {
    const [left, right] = [edges[i] ?? 0, edges[i + 1] ?? 0];
    const tall = count ? Math.max(1, (count / most) * (height - 1)) : 0;
    picture.append(
      s("rect", {
        x: across(left),
        y: height - tall,
        width: Math.max(0.5, across(right) - across(left) - 0.6),
        height: tall,
        class: left + right < 0 ? "lt-negative" : "lt-positive",
      }),
    );
  });
  picture.append(s("title", {}, `${spoken(low)} … ${spoken(high)}`));
  return picture;
}

/** Where update : weight lies among the decades; the band around 0.001 is what is usual. */
function ratioMark(ratio: Num | null, word: Word): Node {
  const { width, height, low, high } = RATIO;
  const at = (decade: number) => ((Math.min(high, Math.max(low, decade)) - low) / (high - low)) * width;
  if (!finite(ratio)) return h("span", {}, "–");
  const decade = ratio > 0 ? Math.log10(ratio) : low;
  const usual = decade >= HEALTHY[0] && decade <= HEALTHY[1];
  const picture = s(
    "svg",
    {
      class: "lt-ratio",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "aria-label": `${word("gradients.ratio")}: ${spoken(ratio, 2)}`,
    },
    s("title", {}, word("gradients.band")),
    s("rect", { class: "lt-track", y: 5, width, height: 4, rx: 2 }),
    s("rect", { class: "lt-band", x: at(HEALTHY[0]), y: 1, width: at(HEALTHY[1]) - at(HEALTHY[0]), height: 12, rx: 3 }),
    usual
      ? s("circle", { cx: at(decade), cy: 7, r: 4 })
      : s("path", { class: "lt-unusual", d: `M${at(decade)},1.5l4.6,5.5-4.6,5.5-4.6,-5.5z` }),
  );
  return h("span", { class: "lt-ratio-cell" }, picture, h("span", {}, spoken(ratio, 2)));
}

