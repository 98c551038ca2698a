// A statistic of all layers over time: a line a layer, or a heat map of layer x time.
import { scaleLinear, scaleLog } from "d3-scale";
import { symlog } from "../shared/colour";
import { h, s, set } from "../shared/dom";
import type { Span } from "../shared/host";
import { counted, finite, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { Series } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;

export const MARGIN = { left: 62, right: 132, top: 12, bottom: 24 };
const HEIGHT = 236;
const FLOOR = 16; // pixels of the lane at the bottom, for zeros
const LABELLED = 12; // lines that can be labelled side by side
const HEAT_ROW = { most: 24, least: 9 };

export interface Acts {
  seek(step: number): void;
  open(key: string): void;
  point(key: string | null): void;
}

export class Plot {
  readonly element: HTMLElement;
  heat = false;
  fixed = false;
  private readonly svg = s("svg", { class: "lt-plot-svg", tabindex: 0, role: "application" });
  private readonly canvas = h("canvas", { "aria-hidden": "true" });
  private readonly axes = s("g", { class: "lt-axes" });
  private readonly lines = s("g", { class: "lt-lines" });
  private readonly labels = s("g", { class: "lt-line-labels" });
  private readonly cursor = s("line", { class: "lt-now" });
  private readonly probe = s("g", { class: "lt-probe" }, s("line"), s("rect"), s("circle", { r: 3.5 }));
  private readonly tip = h("div", { class: "lt-tip", role: "status", hidden: true });
  private series: Series | null = null;
  private values = new Float32Array();
  private time: Span | null = null;
  private pointed: string | null = null;
  private place: { row: number; column: number } | null = null;
  private height = HEIGHT;
  private down: (value: number) => number = () => 0;

  constructor(
    private readonly word: Word,
    private readonly acts: Acts,
  ) {
    this.svg.append(this.axes, this.lines, this.labels, this.cursor, this.probe);
    this.element = h("div", { class: "lt-over-time" }, this.canvas, this.svg, this.tip);
    this.svg.addEventListener("pointermove", (event) => this.look(this.at(event)));
    this.svg.addEventListener("pointerleave", () => this.look(null));
    this.svg.addEventListener("blur", () => this.look(null));
    this.svg.addEventListener("click", (event) => {
      const at = this.at(event);
      if (!at || !this.series) return;
      const key = this.series.keys[at.row];
      const inLabels = event.clientX - this.svg.getBoundingClientRect().left > this.width - MARGIN.right;
      const inNames = event.clientX - this.svg.getBoundingClientRect().left < MARGIN.left;
      if (key !== undefined && (inLabels || (this.heat && inNames))) this.acts.open(key);
      else this.acts.seek(this.series.steps[at.column] ?? 0);
    });
    this.svg.addEventListener("keydown", (event) => this.onKey(event));
  }

  take(series: Series, values: Float32Array<ArrayBuffer>): void {
    this.series = series.steps ? series : null;
    this.values = values;
  }

  mark(key: string | null): void {
    this.pointed = key;
    this.emphasise();
  }

  private get width(): number {
    return Math.max(320, this.element.clientWidth);
  }

  private across(column: number): number {
    const count = this.series?.steps.length ?? 1;
    const span = this.width - MARGIN.left - MARGIN.right;
    if (this.heat) return MARGIN.left + ((column + 0.5) / Math.max(1, count)) * span;
    return MARGIN.left + this.moment(this.series?.steps[column] ?? 0) * span;
  }

  /** Where a step lies between the first and the last: steps that were let go leave their gap. */
  private moment(step: number): number {
    const steps = this.series?.steps ?? [];
    const [first, last] = [steps[0] ?? 0, steps.at(-1) ?? 0];
    return last > first ? (step - first) / (last - first) : 0;
  }

  private value(row: number, column: number): number {
    return this.values[row * (this.series?.steps.length ?? 0) + column] ?? -1;
  }

  draw(time: Span | null = this.time): void {
    this.time = time;
    const { series, width } = this;
    if (!series || !this.element.clientWidth) return;
    const rows = series.keys.length;
    const each = Math.max(HEAT_ROW.least, Math.min(HEAT_ROW.most, 230 / Math.max(1, rows)));
    this.height = this.heat ? MARGIN.top + MARGIN.bottom + rows * each : HEIGHT;
    set(this.svg, { width, height: this.height, viewBox: `0 0 ${width} ${this.height}` });
    const name = this.word(STATISTICS[series.statistic] ?? "gradients.stat.grad");
    set(this.svg, {
      "aria-label": this.word("gradients.chart", { statistic: name }),
      "aria-description": this.word("gradients.help"),
    });
    this.scale();
    this.drawTimes();
    if (this.heat) this.drawHeat(each);
    else this.drawLines();
    this.canvas.hidden = !this.heat;
    this.drawCursor();
    this.look(this.place);
  }

  /** The axis: of what the window shows, or the fixed scale that all gradients share. */
  private scale(): void {
    const { series, heat } = this;
    if (!series) return;
    const bottom = HEIGHT - MARGIN.bottom;
    const known = this.values.filter((value) => value > 0 && Number.isFinite(value));
    this.axes.replaceChildren();
    let ticks: number[];
    if (series.statistic === "zeros") {
      this.share = (value) => value;
      ticks = [0, 0.25, 0.5, 0.75, 1];
    } else if (this.fixed) {
      this.share = symlog;
      ticks = [0, 1e-6, 1e-4, 1e-2, 1, 100];
    } else {
      let [low, high] = known.length
        ? [Math.log10(known.reduce((a, b) => Math.min(a, b))), Math.log10(known.reduce((a, b) => Math.max(a, b)))]
        : [-3, 0];
      if (high - low < 0.2) [low, high] = [low - 0.5, high + 0.5];
      const zero = this.values.some((value) => value === 0) ? FLOOR / (bottom - MARGIN.top) : 0;
      this.share = (value) =>
        value > 0 ? zero + ((Math.log10(value) - low) / (high - low)) * (1 - zero) : 0;
      const every = Math.max(1, Math.ceil((high - low) / 6));
      ticks = [];
      for (let decade = Math.ceil(low / every) * every; decade <= high; decade += every)
        ticks.push(10 ** decade);
      if (ticks.length < 3) ticks = scaleLog([10 ** low, 10 ** high], [0, 1]).ticks(4);
      if (ticks.length > 7) ticks = ticks.filter((_, i) => i % 2 === 0);
      if (zero) ticks.unshift(0);
    }
    this.down = (value) => bottom - this.share(value) * (bottom - MARGIN.top);
    if (heat) return;
    for (const tick of ticks) {
      const y = this.down(tick);
      this.axes.append(
        s("line", { x1: MARGIN.left, x2: this.width - MARGIN.right, y1: y, y2: y }),
        s("text", { x: MARGIN.left - 8, y: y + 4, class: "lt-y" }, spoken(tick, 2)),
      );
    }
    if (series.statistic === "update")
      this.axes.prepend(
        s(
          "rect",
          {
            class: "lt-band",
            x: MARGIN.left,
            width: this.width - MARGIN.left - MARGIN.right,
            y: Math.max(MARGIN.top, this.down(1e-2)),
            height: Math.max(0, Math.min(bottom, this.down(1e-4)) - Math.max(MARGIN.top, this.down(1e-2))),
          },
          s("title", {}, this.word("gradients.band")),
        ),
      );
  }

  private share: (value: number) => number = () => 0;

  private drawTimes(): void {
    const { series } = this;
    if (!series) return;
    const [first, last] = [series.steps[0] ?? 0, series.steps.at(-1) ?? 0];
    const most = Math.max(2, Math.floor((this.width - MARGIN.left - MARGIN.right) / 110));
    const ticks = scaleLinear([first, last], [0, 1]).ticks(most).filter(Number.isInteger);
    for (const step of first < last ? ticks : [first]) {
      const column = nearest(series.steps, step);
      this.axes.append(
        s(
          "text",
          { x: this.across(column), y: this.height - 7, class: "lt-x" },
          counted(series.steps[column] ?? 0),
        ),
      );
    }
  }

  private drawLines(): void {
    const { series } = this;
    if (!series) return;
    const ends: { key: string; name: string; y: number; colour: string }[] = [];
    const lines = series.keys.map((key, row) => {
      let path = "";
      let joined = false;
      let last: number | null = null;
      const odd: SVGElement[] = [];
      for (let column = 0; column < series.steps.length; column++) {
        const value = this.value(row, column);
        if (Number.isFinite(value) && value >= 0) {
          const y = this.down(value);
          path += `${joined ? "L" : "M"}${this.across(column).toFixed(1)},${y.toFixed(1)}`;
          joined = true;
          last = y;
        } else {
          joined = false;
          if (!Number.isFinite(value))
            odd.push(s("text", { class: "lt-odd", x: this.across(column), y: MARGIN.top + 4 }, "×"));
        }
      }
      const colour = depthColour(row, series.keys.length);
      if (last !== null) ends.push({ key, name: series.names[row] ?? key, y: last, colour });
      const line = s("path", { d: path || "M0,0", "data-key": key });
      line.style.stroke = colour;
      if (series.steps.length === 1 && last !== null) {
        const dot = s("circle", { cx: this.across(0), cy: last, r: 3, "data-key": key });
        dot.style.fill = colour;
        odd.push(dot);
      }
      return s("g", { "data-key": key }, line, ...odd);
    });
    this.lines.replaceChildren(...lines);
    this.drawLabels(ends);
    this.emphasise();
  }

  /** Names at the lines' ends, pushed apart where they would lie on each other. */
  private drawLabels(ends: { key: string; name: string; y: number; colour: string }[]): void {
    const every = Math.ceil(ends.length / LABELLED);
    const shown = ends.filter((_, i) => i % every === 0 || i === ends.length - 1).sort((a, b) => a.y - b.y);
    const gap = 14;
    let above = MARGIN.top - gap;
    for (const end of shown) above = end.y = Math.max(end.y, above + gap);
    let below = HEIGHT - MARGIN.bottom + gap;
    for (const end of [...shown].reverse()) below = end.y = Math.min(end.y, below - gap);
    this.labels.replaceChildren(
      ...shown.map(({ key, name, y, colour }) => {
        const text = s("text", { x: this.width - MARGIN.right + 8, y: y + 4, "data-key": key }, clip(name, 17));
        text.style.fill = colour;
        text.append(s("title", {}, name));
        return text;
      }),
    );
  }

  private drawHeat(each: number): void {
    const { series, canvas } = this;
    if (!series) return;
    this.lines.replaceChildren();
    const [columns, rows] = [series.steps.length, series.keys.length];
    const span = this.width - MARGIN.left - MARGIN.right;
    set(canvas, { width: Math.max(1, columns), height: Math.max(1, rows) });
    Object.assign(canvas.style, {
      left: `${MARGIN.left}px`,
      top: `${MARGIN.top}px`,
      width: `${span}px`,
      height: `${rows * each}px`,
    });
    const context = canvas.getContext("2d");
    if (!context) return;
    const [ground, ink, alarm] = this.tones();
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const value = this.value(row, column);
        if (value < 0) continue;
        context.globalAlpha = 1;
        context.fillStyle = Number.isFinite(value) ? ground : alarm;
        context.fillRect(column, row, 1, 1);
        if (!Number.isFinite(value)) continue;
        context.globalAlpha = Math.max(0, Math.min(1, this.share(value)));
        context.fillStyle = ink;
        context.fillRect(column, row, 1, 1);
      }
    const skip = Math.ceil(11 / each);
    this.labels.replaceChildren(
      ...series.keys.flatMap((key, row) => {
        if (row % skip) return [];
        const text = s(
          "text",
          { x: this.width - MARGIN.right + 8, y: MARGIN.top + (row + 0.5) * each + 4, "data-key": key },
          clip(series.names[row] ?? key, 17),
        );
        text.append(s("title", {}, series.names[row] ?? key));
        return [text];
      }),
    );
    const known = this.values.filter((value) => value >= 0 && Number.isFinite(value));
    const whole = series.statistic === "zeros" ? 1 : this.fixed ? 100 : null;
    const low = whole === null ? known.reduce((a, b) => Math.min(a, b), Infinity) : 0;
    const high = whole ?? known.reduce((a, b) => Math.max(a, b), 0);
    if (known.length)
      this.axes.append(
        s("text", { x: MARGIN.left - 8, y: MARGIN.top + 10, class: "lt-y" }, spoken(high, 2)),
        s("rect", { class: "lt-key-high", x: MARGIN.left - 18, y: MARGIN.top + 14, width: 10, height: 10 }),
        s("rect", { class: "lt-key-low", x: MARGIN.left - 18, y: MARGIN.top + 28, width: 10, height: 10 }),
        s("text", { x: MARGIN.left - 8, y: MARGIN.top + 51, class: "lt-y" }, spoken(low, 2)),
      );
  }

  /** A canvas knows no CSS variables: the theme's colours as they are now. */
  private tones(): [string, string, string] {
    const probe = h("i");
    this.element.append(probe);
    const read = (value: string) => {
      probe.style.color = value;
      return getComputedStyle(probe).color;
    };
    const tones: [string, string, string] = [
      read("var(--lt-zero)"),
      read("var(--lt-positive)"),
      read("var(--lt-alarm)"),
    ];
    probe.remove();
    return tones;
  }

  private drawCursor(): void {
    const { series, time } = this;
    const step = time?.step ?? null;
    const column = series && step !== null ? nearest(series.steps, step) : -1;
    set(this.cursor, { display: column < 0 ? "none" : null });
    if (column < 0) return;
    const x = this.across(column);
    set(this.cursor, { x1: x, x2: x, y1: MARGIN.top, y2: this.height - MARGIN.bottom });
    this.cursor.classList.toggle("lt-rewound", time?.live === false);
  }

  private emphasise(): void {
    const at = this.place && this.series?.keys[this.place.row];
    const key = at ?? this.pointed;
    this.svg.classList.toggle("lt-one", key !== null && key !== undefined);
    for (const group of [this.lines, this.labels])
      for (const child of group.children)
        child.classList.toggle("lt-pointed", child.getAttribute("data-key") === key);
  }

  private at(event: MouseEvent): { row: number; column: number } | null {
    const { series } = this;
    if (!series?.steps.length || !series.keys.length) return null;
    const box = this.svg.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const label = event.target instanceof Element ? event.target.closest("[data-key]") : null;
    const count = series.steps.length;
    const share = (x - MARGIN.left) / (this.width - MARGIN.left - MARGIN.right);
    const [first, last] = [series.steps[0] ?? 0, series.steps.at(-1) ?? 0];
    const column = this.heat
      ? Math.max(0, Math.min(count - 1, Math.floor(share * count)))
      : nearest(series.steps, first + share * (last - first));
    if (label) return { row: series.keys.indexOf(label.getAttribute("data-key") ?? ""), column };
    if (this.heat) {
      const each = (this.height - MARGIN.top - MARGIN.bottom) / series.keys.length;
      return { row: Math.max(0, Math.min(series.keys.length - 1, Math.floor((y - MARGIN.top) / each))), column };
    }
    let [row, distance] = [0, Infinity];
    for (let i = 0; i < series.keys.length; i++) {
      const value = this.value(i, column);
      const away = Number.isFinite(value) && value >= 0 ? Math.abs(this.down(value) - y) : Infinity;
      if (away < distance) [row, distance] = [i, away];
    }
    return { row, column };
  }

  private look(place: { row: number; column: number } | null): void {
    const { series } = this;
    this.place = place && series && place.row < series.keys.length && place.column < series.steps.length ? place : null;
    this.acts.point(this.place && series ? (series.keys[this.place.row] ?? null) : null);
    this.emphasise();
    this.probe.style.display = this.place ? "" : "none";
    this.tip.hidden = !this.place;
    if (!this.place || !series) return;
    const { row, column } = this.place;
    const value = this.value(row, column);
    const step = series.steps[column] ?? 0;
    const first = series.per > 1 ? (series.steps[column - 1] ?? -1) + 1 : step;
    const when = this.word("time.step", {
      step: first < step ? `${counted(first)}–${counted(step)}` : counted(step),
    });
    const read = value < 0 ? "–" : Number.isNaN(value) ? "NaN" : spoken(finite(value) ? value : "inf", 3);
    const said = this.word("gradients.at", { layer: series.names[row] ?? "", value: read, step: when });
    if (this.tip.textContent !== said) this.tip.textContent = said;
    const x = this.across(column);
    const each = (this.height - MARGIN.top - MARGIN.bottom) / series.keys.length;
    const y = this.heat
      ? MARGIN.top + (row + 0.5) * each
      : Number.isFinite(value) && value >= 0
        ? this.down(value)
        : MARGIN.top;
    const [rule, box, dot] = this.probe.children as unknown as [Element, Element, Element];
    set(rule, { x1: x, x2: x, y1: MARGIN.top, y2: this.height - MARGIN.bottom });
    set(dot, { cx: x, cy: y, display: this.heat ? "none" : null });
    set(box, { x: x - 4, y: y - each / 2, width: 8, height: each, display: this.heat ? null : "none" });
    const flip = x > this.width * 0.6;
    this.tip.style.transform = `translate(${x + (flip ? -10 : 10)}px, ${Math.max(0, y - 30)}px)${flip ? " translateX(-100%)" : ""}`;
  }

  private onKey(event: KeyboardEvent): void {
    const { series } = this;
    if (!series?.steps.length) return;
    const last = series.steps.length - 1;
    const here = this.place ?? { row: 0, column: Math.max(0, nearest(series.steps, this.time?.step ?? 0)) };
    const moves: Record<string, [number, number]> = {
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      Home: [0, -last],
      End: [0, last],
    };
    const move = moves[event.key];
    if (move) {
      const row = Math.max(0, Math.min(series.keys.length - 1, here.row + (this.place ? move[0] : 0)));
      const column = Math.max(0, Math.min(last, here.column + (this.place ? move[1] : 0)));
      this.look({ row, column });
    } else if (event.key === "Enter") this.acts.seek(series.steps[here.column] ?? 0);
    else if (event.key === " ") this.acts.open(series.keys[here.row] ?? "");
    else return;
    event.preventDefault();
  }
}

export const STATISTICS: Record<string, Key> = {
  grad: "gradients.stat.grad",
  relative: "gradients.stat.relative",
  update: "gradients.stat.update",
  gradient: "gradients.stat.grad",
  zeros: "gradients.stat.zeros",
  std: "gradients.stat.std",
};

/** From the input's side to the output's: by lightness too, for eyes that see few hues. */
export function depthColour(row: number, rows: number): string {
  const percent = ((row / Math.max(1, rows - 1)) * 100).toFixed(0);
  return `color-mix(in oklab, var(--lt-deep) ${percent}%, var(--lt-shallow))`;
}

export function nearest(steps: number[], step: number): number {
  let found = -1;
  steps.forEach((each, i) => {
    if (found < 0 || Math.abs(each - step) < Math.abs((steps[found] ?? 0) - step)) found = i;
  });
  return found;
}

function clip(name: string, most: number): string {
  return name.length <= most ? name : `…${name.slice(1 - most)}`;
}
