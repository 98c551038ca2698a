// The lines of one metric: they grow while training runs, read out under the pointer, rewind where
// clicked. All charts of a panel have one axis of steps and one pointer.
import { scaleLinear, scaleLog } from "d3-scale";
import { line } from "d3-shape";
import { h, s, set } from "../shared/dom";
import { counted, finite, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { ChartFrame, Edit, Line, Point, Run } from "./contract";
import { type Look, lookOf } from "./look";

export type Word = (key: Key, values?: Record<string, string | number>) => string;

const MARGIN = { left: 58, right: 18, top: 14, bottom: 24 };
const LABELS = 104; // at the right, for the names of several runs

interface Drawn {
  run: Run;
  line: Line;
  look: Look;
  points: Point[];
}

export interface Acts {
  seek: (step: number) => void;
  point: (step: number | null) => void;
}

export class Chart {
  readonly element: HTMLElement;
  private readonly svg: SVGSVGElement;
  private readonly axes = s("g", { class: "lt-axes" });
  private readonly lines = s("g");
  private readonly flags = s("g", { class: "lt-flags" });
  private readonly cursor = s("g", { class: "lt-cursor" }, s("line"), s("circle", { r: 4 }));
  private readonly probe = s("g", { class: "lt-probe" }, s("line"), s("circle", { r: 3.5 }));
  private readonly tip = h("div", { class: "lt-tip", hidden: true });
  private readonly note = h("p", { class: "lt-note lt-quiet" });
  private readonly caption = h("p", { class: "lt-caption" });
  private drawn: Drawn[] = [];
  private across = scaleLinear();
  private down: (value: number) => number = () => 0;
  private right: number = MARGIN.right;
  private frame: ChartFrame | null = null;
  private pointer: number | null = null;
  private here = false; // is the pointer over this chart?
  logarithmic = false;
  hidden: string[] = [];

  constructor(
    private readonly word: Word,
    readonly metric: string,
    private readonly height: number,
    acts: Acts,
  ) {
    this.svg = s("svg", { class: "lt-chart", height, role: "img" });
    this.svg.append(this.axes, this.lines, this.cursor, this.probe, this.flags);
    this.element = h("div", { class: "lt-plot" }, this.caption, this.svg, this.tip, this.note);
    this.element.dataset.metric = metric;
    const stepAt = (event: PointerEvent) =>
      Math.round(this.across.invert(event.clientX - this.svg.getBoundingClientRect().left));
    this.svg.addEventListener("pointermove", (event) => {
      acts.point(stepAt(event));
      if (event.buttons & 1) acts.seek(stepAt(event));
    });
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.svg.setPointerCapture(event.pointerId);
      acts.seek(stepAt(event));
    });
    this.svg.addEventListener("pointerleave", () => acts.point(null));
  }

  private get main(): boolean {
    return this.metric === "loss";
  }

  title(): string {
    return this.main ? this.word("metric.loss") : this.metric;
  }

  /** How much room is left for the names of several runs. */
  marginRight(frame: ChartFrame): number {
    const several = frame.runs.filter((run) => !this.hidden.includes(run.key)).length > 1;
    return several ? LABELS : MARGIN.right;
  }

  draw(frame: ChartFrame | null = this.frame): void {
    this.frame = frame;
    const width = this.element.clientWidth;
    if (!frame || !width) return;
    set(this.svg, { width, viewBox: `0 0 ${width} ${this.height}` });
    this.right = width - this.marginRight(frame);
    this.caption.textContent = this.main ? "" : this.metric;
    const usable = (value: number) => !this.logarithmic || value > 0;
    const lines = frame.runs.flatMap((run, at) =>
      this.hidden.includes(run.key)
        ? []
        : run.lines
            .filter((each) => each.metric === this.metric)
            .map((each) => ({ run, line: each, look: lookOf(run, at) })),
    );
    this.drawn = lines.map((each) => ({
      ...each,
      points: each.line.points.filter((point): point is Point => finite(point[1]) && usable(point[1])),
    }));
    const empty = lines.every((each) => each.line.points.length === 0);
    const lost =
      this.logarithmic &&
      lines.some(({ line: { points } }) => points.some(([, v]) => finite(v) && v <= 0));
    this.note.textContent = empty && this.main ? this.word("loss.none") : lost ? this.word("loss.notPositive") : "";
    this.note.classList.toggle("lt-low", lost && this.drawn.some(({ points }) => points.length > 0));
    this.scale(frame);
    this.drawLines();
    this.drawFlags(frame.edits);
    this.drawCursor(frame);
    this.point(this.pointer, this.here);
    const own = this.drawn[0];
    const last = own?.line.points.at(-1);
    const reading = last ? `${spoken(last[1], 4)}, ${this.word("time.step", { step: last[0] })}` : "–";
    set(this.svg, { "aria-label": `${this.title()}: ${reading}` });
  }

  /** The axes: from the first step of any run to the last, over all the values drawn. */
  private scale(frame: ChartFrame): void {
    const ends = frame.runs.flatMap((run) => {
      if (this.hidden.includes(run.key)) return [];
      return run.lines.flatMap(({ points }) => [points[0]?.[0] ?? 0, points.at(-1)?.[0] ?? 0]);
    });
    const { time } = frame;
    const own = frame.runs[0]?.lines[0]?.points[0]?.[0];
    const first = Math.min(...(ends.length ? ends : [0]));
    const recorded = own !== undefined && time.last !== null ? time.last : 0;
    const edited = frame.edits.at(-1)?.step ?? 0; // perhaps the step to come
    const last = Math.max(...ends, recorded, edited, first + 1);
    this.across = scaleLinear([first, last], [MARGIN.left, this.right]);
    const values = this.drawn.flatMap(({ points }) => points.map(([, value]) => value));
    let low = values.reduce((a, b) => Math.min(a, b), Infinity);
    let high = values.reduce((a, b) => Math.max(a, b), -Infinity);
    if (!values.length) [low, high] = this.logarithmic ? [0.1, 1] : [0, 1];
    const range = [this.height - MARGIN.bottom, MARGIN.top];
    const most = this.main ? 5 : 3;
    if (this.logarithmic) {
      if (low === high) [low, high] = [low / 2, high * 2];
      const scale = scaleLog([low, high], range).nice();
      this.down = scale;
      // A span of a few decades is labelled at every one, a short one at 1, 2 and 5.
      const ticks = scale.ticks(most);
      const decades = ticks.filter((tick) => Number.isInteger(Math.round(Math.log10(tick) * 1e9) / 1e9));
      this.drawAxes(frame, decades.length >= 3 ? thin(decades, most + 1) : thin(ticks, most + 1));
    } else {
      if (low > 0 && low < high / 2) low = 0;
      if (low === high) [low, high] = [low - 0.5, high + 0.5];
      const scale = scaleLinear([low, high], range).nice(most);
      this.down = scale;
      this.drawAxes(frame, scale.ticks(most));
    }
  }

  private drawAxes(frame: ChartFrame, ticks: number[]): void {
    const bottom = this.height - MARGIN.bottom;
    const room = this.right - MARGIN.left;
    const steps = this.across.ticks(Math.max(2, Math.floor(room / 130))).filter(Number.isInteger);
    const starts = frame.epochs.starts;
    const every = Math.ceil(starts.length / Math.max(1, Math.floor(room / 44)));
    this.axes.replaceChildren(
      ...ticks.flatMap((tick) => [
        s("line", { x1: MARGIN.left, x2: this.right, y1: this.down(tick), y2: this.down(tick) }),
        s("text", { x: MARGIN.left - 8, y: this.down(tick) + 4, class: "lt-y" }, spoken(tick)),
      ]),
      ...steps.map((step) =>
        s("text", { x: this.across(step), y: bottom + 17, class: "lt-x" }, counted(step)),
      ),
      ...starts.flatMap(([epoch, step], i) => {
        if (i % every || starts.length < 2) return [];
        const x = this.across(step);
        return [
          s("line", { class: "lt-epoch", x1: x, x2: x, y1: 4, y2: bottom + 4 }),
          s("text", { x: x + 4, y: 11, class: "lt-epoch-name" }, i ? String(epoch) : this.word("train.epochName", { epoch })),
        ];
      }),
    );
  }

  private drawLines(): void {
    const draw = line<Point>(
      ([x]) => this.across(x),
      ([, y]) => this.down(y),
    );
    this.lines.replaceChildren(
      ...this.drawn.flatMap(({ run, line: { part, best }, look, points }) => {
        const validation = part === "validation";
        const path = s("path", {
          class: `${validation ? "lt-valid" : "lt-line"}${run.ghost ? " lt-ghost" : ""}`,
          d: draw(points),
          style: `stroke: ${look.tone}`,
          "stroke-dasharray": validation ? "2 3" : look.dash || null,
        });
        if (!validation) return [path];
        const marks = s("path", {
          class: "lt-marks",
          d: points.map((point) => look.mark(this.across(point[0]), this.down(point[1]))).join(""),
          style: `stroke: ${look.tone}`,
        });
        return [path, marks, ...this.best(best, look, run.ghost)];
      }),
      ...this.labels(),
    );
  }

  /** A ring around the best validation. */
  private best(best: Line["best"], look: Look, ghost: boolean): Node[] {
    if (!best || ghost || !finite(best[1]) || (this.logarithmic && best[1] <= 0)) return [];
    const [x, y] = [this.across(best[0]), this.down(best[1])];
    const text = this.word("metric.bestAt", { value: spoken(best[1], 4), step: counted(best[0]) });
    return [
      s(
        "circle",
        { class: "lt-best", cx: x, cy: y, r: 7, style: `stroke: ${look.tone}` },
        s("title", {}, text),
      ),
    ];
  }

  /** The runs' names at the ends of their lines, moved apart where they would lie on each other. */
  private labels(): Node[] {
    const ends = new Map<string, { run: Run; look: Look; y: number }>();
    for (const { run, look, points } of this.drawn) {
      const last = points.at(-1);
      if (last && !ends.has(run.key)) ends.set(run.key, { run, look, y: this.down(last[1]) });
    }
    if (ends.size < 2) return [];
    const sorted = [...ends.values()].sort((a, b) => a.y - b.y);
    let floor = 6;
    for (const each of sorted) floor = (each.y = Math.max(each.y, floor)) + 13;
    const over = floor - 13 - (this.height - MARGIN.bottom);
    return sorted.map(({ run, look, y }) =>
      s(
        "text",
        { class: "lt-label", x: this.right + 8, y: y - Math.max(0, over) + 4, style: `fill: ${look.tone}` },
        run.name.length > 15 ? `${run.name.slice(0, 14)}…` : run.name,
      ),
    );
  }

  /** Where a parameter was edited by hand. */
  private drawFlags(edits: Edit[]): void {
    if (!this.main) return;
    this.flags.replaceChildren(
      ...edits.map((edit) => {
        const x = this.across(edit.step);
        return s(
          "g",
          { class: edit.undoes ? "lt-flag lt-undone" : "lt-flag" },
          s("title", {}, flagText(this.word, edit)),
          s("line", { x1: x, x2: x, y1: 2, y2: this.height - MARGIN.bottom }),
          s("path", { d: `M${x},2h10l-3,4l3,4h-10z` }),
        );
      }),
    );
  }

  /** Where the views stand in time. */
  private drawCursor({ time, readings, runs }: ChartFrame): void {
    const own = this.drawn.find(
      ({ run, line: each }) => run.key === runs[0]?.key && each.part === "training",
    );
    const reading = readings?.find((each) => each.metric === this.metric)?.value;
    const step = time.live ? null : time.step;
    const shown: Point | null = !readings
      ? null
      : step === null
        ? (own?.points.at(-1) ?? null)
        : [step, finite(reading) ? reading : (nearest(own?.points ?? [], step)?.[1] ?? NaN)];
    this.place(this.cursor, shown);
    this.cursor.classList.toggle("lt-rewound", !time.live);
  }

  /** Reads out what lies at `step`, wherever among the charts the pointer is. */
  point(step: number | null, here = false): void {
    [this.pointer, this.here] = [step, here];
    const own = step === null ? null : nearest(this.drawn[0]?.points ?? [], step);
    this.place(this.probe, own);
    this.tip.hidden = !own || !here;
    if (!own || !here) return;
    const several = new Set(this.drawn.map(({ run }) => run.key)).size > 1;
    const rows = this.drawn.flatMap(({ run, line: each, points }) => {
      const found = nearest(points, own[0]);
      if (!found) return [];
      const part = each.part === "validation" ? this.word("metric.validation") : "";
      const name = [several ? run.name : "", part].filter(Boolean).join(" ");
      return [`${name} ${spoken(found[1], 4)}`.trim()];
    });
    const flags = (this.frame?.edits ?? []).filter(
      (edit) => Math.abs(this.across(edit.step) - this.across(own[0])) < 5,
    );
    this.tip.replaceChildren(
      h("div", {}, `${this.word("time.step", { step: counted(own[0]) })} · ${rows[0] ?? ""}`),
      ...rows.slice(1).map((row) => h("div", {}, row)),
      ...(this.main ? flags.map((edit) => h("div", {}, `⚑ ${flagText(this.word, edit)}`)) : []),
    );
    const x = this.across(own[0]);
    const flip = x > this.element.clientWidth - 190;
    this.tip.style.transform = `translate(${x + (flip ? -10 : 10)}px, ${Math.max(0, this.down(own[1]) - 30)}px)${flip ? " translateX(-100%)" : ""}`;
  }

  private place(mark: SVGGElement, point: Point | null): void {
    mark.style.display = point ? "" : "none";
    if (!point) return;
    const x = this.across(point[0]);
    const [rule, dot] = mark.children;
    if (rule) set(rule, { x1: x, x2: x, y1: MARGIN.top, y2: this.height - MARGIN.bottom });
    const y = this.down(point[1]);
    if (dot) set(dot, Number.isFinite(y) ? { cx: x, cy: y, display: null } : { display: "none" });
  }
}

export function flagText(word: Word, { step, name, index, before, after, undoes }: Edit): string {
  return word(undoes ? "edit.flagUndo" : "edit.flag", {
    name,
    index: `[${index.join(", ")}]`,
    before: spoken(before, 4),
    after: spoken(after, 4),
    step: counted(step),
  });
}

export function nearest(points: Point[], step: number): Point | null {
  let found: Point | null = null;
  for (const point of points)
    if (!found || Math.abs(point[0] - step) < Math.abs(found[0] - step)) found = point;
  return found;
}

function thin(ticks: number[], most: number): number[] {
  const every = Math.ceil(ticks.length / most);
  return ticks.filter((_, i) => i % every === 0);
}
