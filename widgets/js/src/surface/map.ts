// The map: bands of equal loss, the path, the ball, and a crosshair that reads the loss anywhere.
import { scaleLinear } from "d3-scale";
import { h, s, set } from "../shared/dom";
import { counted, finite, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import { type Chart, HEIGHT, type Point, type SurfaceFrame, WIDTH } from "./contract";
import { fromMap, lossAt, type Place, placeOf, toMap } from "./land";

type Word = (key: Key, values?: Record<string, string | number>) => string;

const MARGIN = { left: 62, right: 12, top: 10, bottom: 44 };
const APART = 34; // between two labels on the path
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] } as const;

export interface Acts {
  aimed(place: Place | null, spokenAloud: boolean): void;
  put(place: Place): void;
  zoom(factor: number): void;
  follow(): void;
  pan(by: Place): void;
}

let serial = 0;

export class SurfaceMap {
  readonly element: SVGSVGElement;
  aim: Place | null = null;
  private readonly land = s("g", { class: "lt-sf-bands" });
  private readonly axes = s("g", { class: "lt-sf-axes" });
  private readonly walk = s("g", { class: "lt-sf-walk" });
  private readonly lowest = s("path", { class: "lt-sf-lowest", d: "M-5,0H5M0,-5V5" });
  private readonly ball = s("g", { class: "lt-sf-ball" }, s("circle", { r: 8 }), s("circle", { r: 5 }));
  private readonly cross = s("g", { class: "lt-sf-cross" });
  private readonly inside: SVGGElement;
  private chart: Chart | null = null;
  private frame: SurfaceFrame | null = null;
  private shown: Chart | null = null;
  private dragged: { x: number; y: number; moved: boolean } | null = null;

  constructor(
    private readonly word: Word,
    private readonly acts: Acts,
  ) {
    const id = `lt-sf-${++serial}`;
    const hatch = s(
      "pattern",
      { id: `${id}-hatch`, width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      s("rect", { width: 8, height: 8, class: "lt-sf-hole" }),
      s("line", { x1: 0, x2: 0, y1: 0, y2: 8 }),
    );
    const clip = s("clipPath", { id: `${id}-clip` }, s("rect", { width: WIDTH, height: HEIGHT }));
    const ground = s("rect", { width: WIDTH, height: HEIGHT, fill: `url(#${id}-hatch)` });
    const moving = s("g", {}, this.land, this.lowest, this.walk, this.ball, this.cross);
    this.inside = s("g", { transform: `translate(${MARGIN.left},${MARGIN.top})` },
      s("g", { "clip-path": `url(#${id}-clip)` }, ground, moving),
      s("rect", { width: WIDTH, height: HEIGHT, class: "lt-sf-edge" }),
    );
    this.element = s(
      "svg",
      {
        class: "lt-sf-map",
        viewBox: `0 0 ${MARGIN.left + WIDTH + MARGIN.right} ${MARGIN.top + HEIGHT + MARGIN.bottom}`,
        role: "application",
        tabindex: 0,
      },
      s("defs", {}, hatch, clip),
      this.axes,
      this.inside,
    );
    this.listen(moving);
  }

  private listen(moving: SVGGElement): void {
    const { element } = this;
    const at = (event: MouseEvent): [number, number] => {
      const box = element.getBoundingClientRect();
      const unit = (MARGIN.left + WIDTH + MARGIN.right) / box.width;
      return [
        (event.clientX - box.left) * unit - MARGIN.left,
        (event.clientY - box.top) * unit - MARGIN.top,
      ];
    };
    element.addEventListener("pointerdown", (event) => {
      if (event.button || !this.chart) return;
      const [x, y] = at(event);
      this.dragged = { x, y, moved: false };
      element.setPointerCapture(event.pointerId);
    });
    element.addEventListener("pointermove", (event) => {
      if (!this.dragged || !(event.buttons & 1)) return;
      const [x, y] = at(event);
      const [dx, dy] = [x - this.dragged.x, y - this.dragged.y];
      if (Math.hypot(dx, dy) > 6) this.dragged.moved = true;
      if (this.dragged.moved) set(moving, { transform: `translate(${dx},${dy})` });
    });
    element.addEventListener("pointerup", (event) => {
      const { dragged, chart } = this;
      this.dragged = null;
      set(moving, { transform: null });
      if (!dragged || !chart) return;
      const [x, y] = at(event);
      if (dragged.moved) {
        const [from, to] = [fromMap(chart, dragged.x, dragged.y), fromMap(chart, x, y)];
        this.acts.pan({ u: from.u - to.u, v: from.v - to.v });
      } else if (x >= 0 && x <= WIDTH && y >= 0 && y <= HEIGHT) this.aimAt(fromMap(chart, x, y), false);
    });
    element.addEventListener("keydown", (event) => {
      const { chart } = this;
      if (!chart || event.ctrlKey || event.metaKey || event.altKey) return;
      const step = STEPS[event.key as keyof typeof STEPS];
      if (step) {
        const [u0, u1, v0, v1] = chart.window;
        const share = event.shiftKey ? 0.1 : 0.02;
        const from = this.aim ?? placeOf(this.frame?.ball ?? null) ?? { u: (u0 + u1) / 2, v: (v0 + v1) / 2 };
        const inside = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));
        this.aimAt(
          {
            u: inside(from.u + step[0] * share * (u1 - u0), u0, u1),
            v: inside(from.v + step[1] * share * (v1 - v0), v0, v1),
          },
          true,
        );
      } else if (event.key === "Home") this.aimAt(placeOf(this.frame?.ball ?? null), true);
      else if (event.key === "Escape" && this.aim) this.aimAt(null, false);
      else if (event.key === "Enter" && this.aim) this.acts.put(this.aim);
      else if (event.key === "+" || event.key === "=") this.acts.zoom(1 / 1.6);
      else if (event.key === "-") this.acts.zoom(1.6);
      else if (event.key === "0") this.acts.follow();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  private aimAt(place: Place | null, aloud: boolean): void {
    this.aim = place;
    this.drawCross();
    this.acts.aimed(place, aloud);
  }

  speak(): void {
    set(this.element, { "aria-label": this.word("surface.map"), "aria-description": this.word("surface.help") });
  }

  draw(chart: Chart | null, frame: SurfaceFrame, names: [string, string]): void {
    this.chart = chart;
    this.frame = frame;
    if (!chart) return;
    if (this.shown !== chart) {
      this.shown = chart;
      this.land.replaceChildren(
        ...chart.bands.map(({ d, colour, low, high }) =>
          s("path", { d, fill: colour, "fill-rule": "evenodd" }, s("title", {}, `${spoken(low)} … ${spoken(high)}`)),
        ),
      );
    }
    this.drawAxes(chart, names);
    this.drawWalk(chart, frame);
    this.drawCross();
  }

  private drawAxes({ window: [u0, u1, v0, v1], lowest }: Chart, names: [string, string]): void {
    const across = scaleLinear([u0, u1], [0, WIDTH]);
    const down = scaleLinear([v0, v1], [HEIGHT, 0]);
    const base = MARGIN.top + HEIGHT;
    this.axes.replaceChildren(
      ...across.ticks(7).map((tick) =>
        s("text", { x: MARGIN.left + across(tick), y: base + 17, class: "lt-sf-x" }, spoken(tick, 4)),
      ),
      ...down.ticks(6).map((tick) =>
        s("text", { x: MARGIN.left - 7, y: MARGIN.top + down(tick) + 4, class: "lt-sf-y" }, spoken(tick, 4)),
      ),
      s("text", { x: MARGIN.left + WIDTH / 2, y: base + 36, class: "lt-sf-name" }, names[0]),
      s(
        "text",
        { transform: `translate(14,${MARGIN.top + HEIGHT / 2}) rotate(-90)`, class: "lt-sf-name" },
        names[1],
      ),
    );
    this.lowest.style.display = lowest ? "" : "none";
    if (lowest) set(this.lowest, { transform: `translate(${across(lowest.u)},${down(lowest.v)})` });
  }

  /** The path up to the ball in full, what came after it as a faint line, and steps by number. */
  private drawWalk(chart: Chart, frame: SurfaceFrame): void {
    const ball = frame.ball;
    const placed = frame.trail.flatMap((point) => {
      const place = placeOf(point);
      return place ? [{ point, at: toMap(chart, place) }] : [];
    });
    const until = placed.filter(({ point }) => ball !== null && point.step <= ball.step);
    const after = placed.slice(Math.max(0, until.length - 1));
    const d = (points: typeof placed) =>
      points.length ? `M${points.map(({ at: [x, y] }) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L")}` : "";
    const dots = until.length <= 80 ? until : [];
    this.walk.replaceChildren(
      s("path", { d: after.length > 1 ? d(after) : "", class: "lt-sf-after" }),
      s("path", { d: d(until), class: "lt-sf-casing" }),
      s("path", { d: d(until), class: "lt-sf-path" }),
      ...dots.map(({ point, at: [x, y] }) =>
        s("circle", { cx: x, cy: y, r: 2.6, class: "lt-sf-dot" }, s("title", {}, this.telling(point))),
      ),
      ...this.labels(until),
    );
    const place = placeOf(ball);
    this.ball.style.display = place ? "" : "none";
    if (place) {
      const [x, y] = toMap(chart, place);
      this.ball.style.transform = `translate(${x}px,${y}px)`;
    }
  }

  private telling(point: Point): string {
    return `${this.word("time.step", { step: counted(point.step) })} · ${this.word("surface.loss")} ${spoken(point.loss, 4)}`;
  }

  private labels(points: { point: Point; at: [number, number] }[]): SVGTextElement[] {
    const taken: [number, number][] = [];
    const found: SVGTextElement[] = [];
    const last = points.at(-1);
    if (last) taken.push(last.at);
    for (const { point, at } of points) {
      const [x, y] = at;
      const free = taken.every(([a, b]) => Math.hypot(a - x, b - y) > APART);
      if (!free || x < 0 || x > WIDTH || y < 0 || y > HEIGHT) continue;
      taken.push(at);
      found.push(s("text", { x: x + 6, y: y - 7, class: "lt-sf-label" }, counted(point.step)));
    }
    return found;
  }

  private drawCross(): void {
    const { aim, chart } = this;
    this.cross.replaceChildren();
    if (!aim || !chart) return;
    const [x, y] = toMap(chart, aim);
    const loss = lossAt(chart, aim);
    const text = loss === null ? "" : finite(loss) ? spoken(loss, 4) : this.word("surface.noNumber");
    const left = x > WIDTH - 90;
    for (const name of ["lt-sf-halo", "lt-sf-hair"])
      this.cross.append(
        s("path", { d: `M${x},0V${y - 7}M${x},${y + 7}V${HEIGHT}M0,${y}H${x - 7}M${x + 7},${y}H${WIDTH}`, class: name }),
      );
    this.cross.append(
      s("text", { x: x + (left ? -9 : 9), y: y - 9, class: "lt-sf-label", "text-anchor": left ? "end" : "start" }, text),
    );
  }
}

/** The colours with the losses that they stand for. */
export function scale(chart: Chart, word: Word): HTMLElement {
  const bands = [...chart.bands].reverse();
  const rows = bands.map((band, i) =>
    h(
      "li",
      {},
      h("i", { style: `background:${band.colour}`, "aria-hidden": "true" }),
      i % 2 === 1 || i === bands.length - 1 ? spoken(band.low, 3) : "",
    ),
  );
  return h("ul", { class: "lt-sf-scale", "aria-label": word("surface.loss") }, ...rows);
}
