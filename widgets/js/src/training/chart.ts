// The loss line: grows while training runs, reads out under the pointer, rewinds where clicked.
import { scaleLinear, scaleLog } from "d3-scale";
import { line } from "d3-shape";
import { h, s, set } from "../shared/dom";
import type { Span } from "../shared/host";
import { counted, finite, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { TrainingFrame } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;
type Point = [number, number];

const HEIGHT = 196;
export const MARGIN = { left: 58, right: 18, top: 10, bottom: 24 };

export class Chart {
  readonly element: HTMLElement;
  private readonly svg = s("svg", { class: "lt-chart", height: HEIGHT, role: "img" });
  private readonly axes = s("g", { class: "lt-axes" });
  private readonly path = s("path", { class: "lt-line" });
  private readonly cursor = s("g", { class: "lt-cursor" }, s("line"), s("circle", { r: 4 }));
  private readonly probe = s("g", { class: "lt-probe" }, s("line"), s("circle", { r: 3.5 }));
  private readonly tip = h("div", { class: "lt-tip", hidden: true });
  private readonly note = h("p", { class: "lt-note lt-quiet" });
  private frame: TrainingFrame | null = null;
  private points: Point[] = [];
  private across = scaleLinear();
  private down: (loss: number) => number = () => 0;
  private pointer: number | null = null;
  logarithmic = false;

  constructor(
    private readonly word: Word,
    seek: (step: number) => void,
  ) {
    this.svg.append(this.axes, this.path, this.cursor, this.probe);
    this.element = h("div", { class: "lt-plot" }, this.svg, this.tip, this.note);
    const stepAt = (event: PointerEvent) =>
      Math.round(this.across.invert(event.clientX - this.svg.getBoundingClientRect().left));
    this.svg.addEventListener("pointermove", (event) => {
      this.pointer = stepAt(event);
      this.drawProbe();
      if (event.buttons & 1) seek(this.pointer);
    });
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.svg.setPointerCapture(event.pointerId);
      seek(stepAt(event));
    });
    this.svg.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.drawProbe();
    });
  }

  draw(frame: TrainingFrame | null = this.frame): void {
    this.frame = frame;
    const width = this.element.clientWidth;
    if (!frame || !width) return;
    set(this.svg, { width, viewBox: `0 0 ${width} ${HEIGHT}` });
    const usable = (loss: number) => !this.logarithmic || loss > 0;
    this.points = frame.losses.filter((point): point is Point => finite(point[1]) && usable(point[1]));
    const empty = frame.losses.length === 0;
    const hidden = this.logarithmic && frame.losses.some(([, loss]) => finite(loss) && loss <= 0);
    this.note.textContent = empty
      ? this.word("loss.none")
      : hidden
        ? this.word("loss.notPositive")
        : "";
    this.note.classList.toggle("lt-low", hidden && this.points.length > 0);
    this.scale(width, frame.time);
    set(this.path, { d: line<Point>(([x]) => this.across(x), ([, y]) => this.down(y))(this.points) });
    this.drawCursor(frame);
    this.drawProbe();
    const last = frame.losses.at(-1);
    const reading = last ? `${spoken(last[1], 4)}, ${this.word("time.step", { step: last[0] })}` : "–";
    set(this.svg, { "aria-label": `${this.word("loss.title")}: ${reading}` });
  }

  /** The axes: from the first recorded step to the last, over all the losses drawn. */
  private scale(width: number, time: Span): void {
    const steps = this.frame?.losses.map(([step]) => step) ?? [];
    const first = Math.min(steps[0] ?? 0, time.first ?? Infinity);
    const last = Math.max(steps.at(-1) ?? 1, time.last ?? 0, first + 1);
    this.across = scaleLinear([first, last], [MARGIN.left, width - MARGIN.right]);
    const losses = this.points.map(([, loss]) => loss);
    let [low, high] = [Math.min(...losses), Math.max(...losses)];
    if (!losses.length) [low, high] = this.logarithmic ? [0.1, 1] : [0, 1];
    const range = [HEIGHT - MARGIN.bottom, MARGIN.top];
    if (this.logarithmic) {
      if (low === high) [low, high] = [low / 2, high * 2];
      const scale = scaleLog([low, high], range).nice();
      this.down = scale;
      // A span of a few decades is labelled at every one, a short one at 1, 2 and 5.
      const ticks = scale.ticks(5);
      const decades = ticks.filter((tick) => Number.isInteger(Math.round(Math.log10(tick) * 1e9) / 1e9));
      this.drawAxes(width, decades.length >= 3 ? thin(decades, 6) : thin(ticks, 6));
    } else {
      if (low > 0 && low < high / 2) low = 0;
      if (low === high) [low, high] = [low - 0.5, high + 0.5];
      const scale = scaleLinear([low, high], range).nice(5);
      this.down = scale;
      this.drawAxes(width, scale.ticks(5));
    }
  }

  private drawAxes(width: number, ticks: number[]): void {
    const right = width - MARGIN.right;
    const bottom = HEIGHT - MARGIN.bottom;
    const steps = this.across.ticks(Math.max(2, Math.floor(width / 130))).filter(Number.isInteger);
    this.axes.replaceChildren(
      ...ticks.flatMap((tick) => [
        s("line", { x1: MARGIN.left, x2: right, y1: this.down(tick), y2: this.down(tick) }),
        s("text", { x: MARGIN.left - 8, y: this.down(tick) + 4, class: "lt-y" }, spoken(tick)),
      ]),
      ...steps.map((step) =>
        s("text", { x: this.across(step), y: bottom + 17, class: "lt-x" }, counted(step)),
      ),
    );
  }

  /** Where the views stand in time. */
  private drawCursor(frame: TrainingFrame): void {
    const { time } = frame;
    const live = this.points.at(-1);
    const shown: Point | null = time.live
      ? (live ?? null)
      : time.step === null
        ? null
        : [time.step, finite(frame.lossShown) ? frame.lossShown : (this.nearest(time.step)?.[1] ?? NaN)];
    this.place(this.cursor, shown);
    this.cursor.classList.toggle("lt-rewound", !time.live);
  }

  private drawProbe(): void {
    const point = this.pointer === null ? null : this.nearest(this.pointer);
    this.place(this.probe, point);
    this.tip.hidden = !point;
    if (!point) return;
    this.tip.textContent = `${this.word("time.step", { step: counted(point[0]) })} · ${spoken(point[1], 4)}`;
    const x = this.across(point[0]);
    const flip = x > this.element.clientWidth - 170;
    this.tip.style.transform = `translate(${x + (flip ? -10 : 10)}px, ${Math.max(0, this.down(point[1]) - 30)}px)${flip ? " translateX(-100%)" : ""}`;
  }

  private place(mark: SVGGElement, point: Point | null): void {
    mark.style.display = point ? "" : "none";
    if (!point) return;
    const x = this.across(point[0]);
    const [rule, dot] = mark.children;
    if (rule) set(rule, { x1: x, x2: x, y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom });
    const y = this.down(point[1]);
    if (dot) set(dot, Number.isFinite(y) ? { cx: x, cy: y, display: null } : { display: "none" });
  }

  private nearest(step: number): Point | null {
    let found: Point | null = null;
    for (const point of this.points)
      if (!found || Math.abs(point[0] - step) < Math.abs(found[0] - step)) found = point;
    return found;
  }
}

function thin(ticks: number[], most: number): number[] {
  const every = Math.ceil(ticks.length / most);
  return ticks.filter((_, i) => i % every === 0);
}
