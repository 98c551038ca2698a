// The plane: what the network says everywhere, the points, and the hand that draws them.
import { signed } from "../shared/colour";
import { h, s, set } from "../shared/dom";
import { spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import { FINE, HALF, MOST, type Point } from "./contract";
import { decoded, paintMap, zeroLine } from "./maps";

type Word = (key: Key, values?: Record<string, string | number>) => string;
export type Brush = 0 | 1 | "erase" | null;

const SIDE = 288;
const APART = 0.45; // between points that a stroke paints
const REACH = 0.5; // of the eraser
const MOVE = 0.4; // of an arrow key

export class Plane {
  readonly element: HTMLElement;
  readonly reading = h("output", { class: "lt-at", "aria-live": "polite" });
  private readonly canvas = h("canvas", { "aria-hidden": "true" });
  private readonly line = s("path", { class: "lt-zero-line" });
  private readonly dots = s("g");
  private readonly marker = s(
    "g",
    { class: "lt-marker", display: "none" },
    s("circle", { r: 7 }),
    s("path", { d: "M-11,0h7M4,0h7M0,-11v7M0,4v7" }),
  );
  private readonly empty = h("p", { class: "lt-empty", hidden: true });
  private cells: Int8Array = new Int8Array();
  private unitLimit: number | null = null; // while a unit is looked at instead of the output
  private at: [number, number] = [0, 0];
  private own: Point[] | null = null; // the points of a stroke that is being drawn
  private last: [number, number] | null = null;
  private shown: number[][] = [];
  private drawn: Point[] = [];
  private drawsOwn = false;
  regression = false;
  brush: Brush = null;

  constructor(
    private readonly word: Word,
    private readonly keep: (points: Point[]) => void,
  ) {
    const svg = s(
      "svg",
      { viewBox: `0 0 ${SIDE} ${SIDE}`, "aria-hidden": "true" },
      this.line,
      this.dots,
      this.marker,
    );
    this.element = h("div", { class: "lt-plane", tabindex: 0, role: "application" }, this.canvas, svg, this.empty);
    this.element.addEventListener("pointerdown", (event) => {
      if (event.button || this.brush === null) return;
      this.element.setPointerCapture(event.pointerId);
      this.begin();
      this.paint(...this.place(event));
    });
    this.element.addEventListener("pointermove", (event) => {
      const place = this.place(event);
      this.read(place);
      if (this.own && this.brush !== null && event.buttons & 1) this.paint(...place);
    });
    const done = () => this.end();
    this.element.addEventListener("pointerup", done);
    this.element.addEventListener("pointercancel", done);
    this.element.addEventListener("pointerleave", () => this.own || this.read(null));
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.element.addEventListener("blur", () => {
      set(this.marker, { display: "none" });
      this.read(null);
    });
    this.read(null);
  }

  /** The map on show: the output's, or a unit's with the limit of its colours. */
  show(text: string | Int8Array, unitLimit: number | null): void {
    this.cells = typeof text === "string" ? decoded(text) : text;
    this.unitLimit = unitLimit;
    paintMap(this.canvas, this.cells);
    const line = unitLimit === null && !this.regression && this.cells.length === FINE * FINE;
    set(this.line, { d: line ? zeroLine(this.cells, SIDE) : "" });
  }

  points(shown: number[][], drawn: Point[], drawsOwn: boolean): void {
    if (this.own) return;
    this.shown = shown;
    this.drawn = drawn;
    this.drawsOwn = drawsOwn;
    this.drawPoints(shown);
  }

  speak(): void {
    set(this.element, { "aria-label": this.word("play.outputMap") });
    this.empty.textContent = this.word("play.nothing");
    this.read(null);
  }

  private drawPoints(points: number[][]): void {
    this.dots.replaceChildren(
      ...points.map(([x1 = 0, x2 = 0, label = 0, tested = 0]) => {
        const dot = s("circle", {
          cx: across(x1),
          cy: down(x2),
          r: tested ? 3 : 3.6,
          class: tested ? "lt-dot lt-tested" : "lt-dot",
        });
        dot.style.fill = signed(this.regression ? label : 2 * label - 1, 1);
        return dot;
      }),
    );
    this.empty.hidden = points.length > 0;
  }

  private place(event: PointerEvent): [number, number] {
    const box = this.element.getBoundingClientRect();
    const share = (value: number) => Math.max(0, Math.min(1, value));
    return [
      share((event.clientX - box.left) / box.width) * 2 * HALF - HALF,
      HALF - share((event.clientY - box.top) / box.height) * 2 * HALF,
    ];
  }

  private read(place: [number, number] | null): void {
    if (!place) {
      this.reading.textContent = this.word(this.brush === null ? "play.rim" : "play.drawHelp");
      return;
    }
    const side = Math.round(Math.sqrt(this.cells.length)) || 1;
    const cell = (value: number) => Math.min(side - 1, Math.floor(((value + HALF) / (2 * HALF)) * side));
    const value = this.cells[(side - 1 - cell(place[1])) * side + cell(place[0])] ?? 0;
    const share = value / 127;
    const where = this.word("play.atPoint", { x1: spoken(place[0], 2), x2: spoken(place[1], 2) });
    const what =
      value === -128
        ? "NaN"
        : this.unitLimit !== null
          ? spoken(share * this.unitLimit, 2)
          : this.regression
            ? spoken(share, 2)
            : this.word("play.chance", { percent: Math.round(50 + 50 * share) });
    this.reading.textContent = `${where} ${what}`;
  }

  private begin(): void {
    this.own = [...(this.drawn ?? [])];
    this.last = null;
  }

  private paint(x1: number, x2: number): void {
    if (!this.own) return;
    if (this.brush === "erase")
      this.own = this.own.filter(([a, b]) => Math.hypot(a - x1, b - x2) > REACH);
    else if (
      this.brush !== null &&
      this.own.length < MOST.points &&
      (!this.last || Math.hypot(this.last[0] - x1, this.last[1] - x2) >= APART)
    ) {
      this.own.push([round(x1), round(x2), this.brush]);
      this.last = [x1, x2];
    }
    this.drawPoints(this.own);
  }

  private end(): void {
    const own = this.own;
    this.own = null;
    if (!own) return;
    if (this.drawsOwn && JSON.stringify(own) === JSON.stringify(this.drawn)) this.drawPoints(this.shown);
    else this.keep((this.drawn = own));
  }

  private key(event: KeyboardEvent): void {
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
    if (x !== undefined && y !== undefined) {
      const step = event.shiftKey ? MOVE * 4 : MOVE;
      const within = (value: number) => Math.max(-HALF, Math.min(HALF, round(value)));
      this.at = [within(this.at[0] + x * step), within(this.at[1] + y * step)];
    } else if (event.key === " " && this.brush !== null) {
      this.begin();
      this.paint(...this.at);
      this.end();
    } else return;
    event.preventDefault();
    set(this.marker, { display: null, transform: `translate(${across(this.at[0])} ${down(this.at[1])})` });
    this.read(this.at);
  }
}

const across = (x1: number) => ((x1 + HALF) / (2 * HALF)) * SIDE;
const down = (x2: number) => ((HALF - x2) / (2 * HALF)) * SIDE;
const round = (value: number) => Math.round(value * 10) / 10;
