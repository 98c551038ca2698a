// One unit at one step: the cell as a diagram with its numbers, and its equations.
import { button, h, ICONS, label, s, set } from "../shared/dom";
import { duration } from "../shared/host";
import { formula } from "../shared/mathml";
import { signed } from "../shared/colour";
import { finite, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { Course } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;
type Box = [name: string, x: number, y: number, title: string, stage: number];
type Wire = [path: string, stage: number];

const PACE = 1250; // milliseconds a step takes when it is played
const BOX = { width: 62, height: 36 };

// Positions of values (boxes) and of products and sums (dots), for each kind of cell. A stage is
// the order in which a step computes them.
const DIAGRAMS: Record<string, { boxes: Box[]; dots: Box[]; wires: Wire[]; width: number; height: number }> = {
  lstm: {
    width: 480,
    height: 236,
    boxes: [
      ["c_before", 40, 40, "cₚ", 0],
      ["f", 120, 128, "f", 1],
      ["i", 196, 128, "i", 1],
      ["g", 272, 128, "g", 1],
      ["o", 348, 128, "o", 1],
      ["c", 440, 40, "cₜ", 2],
      ["h", 440, 196, "hₜ", 3],
      ["h_before", 40, 196, "hₚ, xₜ", 0],
    ],
    dots: [
      ["times", 120, 40, "×", 2],
      ["plus", 234, 40, "+", 2],
      ["times", 234, 84, "×", 2],
      ["tanh", 396, 84, "tanh", 3],
      ["times", 396, 128, "×", 3],
    ],
    wires: [
      ["M71,196H348M120,196V146M196,196V146M272,196V146M348,196V146", 1],
      ["M71,40H110M130,40H224M244,40H409", 2],
      ["M120,110V50", 2],
      ["M196,110V84H224M272,110V84H244M234,74V50", 2],
      ["M396,40V72M396,96V118M379,128H386M396,138V196H409", 3],
    ],
  },
  gru: {
    width: 480,
    height: 220,
    boxes: [
      ["h_before", 40, 40, "hₚ", 0],
      ["r", 140, 112, "r", 1],
      ["n", 240, 112, "n", 2],
      ["z", 340, 112, "z", 1],
      ["h", 440, 40, "hₜ", 3],
    ],
    dots: [
      ["times", 340, 40, "z ×", 3],
      ["plus", 388, 40, "+", 3],
      ["times", 290, 76, "1−z ×", 3],
    ],
    wires: [
      ["M40,58V180H340M140,180V130M340,180V130", 1],
      ["M240,180V130M171,112H209", 2],
      ["M71,40H326M340,94V52M354,40H378M398,40H409", 3],
      ["M240,94V76H270M310,76H388V50", 3],
    ],
  },
  rnn: {
    width: 480,
    height: 110,
    boxes: [
      ["h_before", 50, 56, "hₚ", 0],
      ["h", 420, 56, "hₜ", 2],
    ],
    dots: [
      ["plus", 180, 56, "W x + U h", 1],
      ["tanh", 310, 56, "tanh", 2],
    ],
    wires: [
      ["M81,56H142", 1],
      ["M218,56H286M334,56H389", 2],
    ],
  },
};

export class CellPane {
  readonly element: HTMLElement;
  private readonly title = h("h3");
  private readonly where = h("output", { class: "lt-states-where" });
  private readonly back = button("◀", null, () => this.move(-1));
  private readonly forth = button("▶", null, () => this.move(1));
  private readonly play = button("", ICONS.play, () => this.toggle());
  private readonly figure = h("div", { class: "lt-scroll lt-cell-figure", tabindex: 0, role: "group" });
  private readonly equations = h("div", { class: "lt-scroll lt-equations", tabindex: 0, role: "group" });
  private course: Course | null = null;
  private timer = 0;

  constructor(
    private readonly word: Word,
    private readonly place: () => { t: number },
    private readonly look: (t: number) => void,
  ) {
    this.element = h(
      "section",
      { class: "lt-cell" },
      h("header", { class: "lt-group" }, this.title, this.back, this.where, this.forth, this.play),
      h("div", { class: "lt-cell-body" }, this.figure, this.equations),
    );
    this.element.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by) this.move(by);
      else if (event.key === " " && !(event.target instanceof HTMLButtonElement)) this.toggle();
      else return;
      event.preventDefault();
    });
  }

  end(): void {
    clearInterval(this.timer);
  }

  private move(by: number): void {
    if (!this.course) return;
    const t = this.place().t + by;
    if (t >= 0 && t < this.course.steps) this.look(t);
  }

  /** In the order in which the layer goes through time, from the chosen step to its last. */
  private toggle(): void {
    if (this.timer) this.stop();
    else {
      const by = this.course?.backwards ? -1 : 1;
      const step = () => {
        const { course } = this;
        const t = this.place().t + by;
        if (!course || t < 0 || t >= course.steps) this.stop();
        else this.look(t);
      };
      this.timer = window.setInterval(step, PACE);
      step();
    }
    this.speak();
  }

  private stop(): void {
    clearInterval(this.timer);
    this.timer = 0;
    this.speak();
  }

  speak(): void {
    const { word } = this;
    this.title.textContent = word("states.cell");
    label(this.back, "◀", word("states.back"));
    label(this.forth, "▶", word("states.forth"));
    label(this.play, word(this.timer ? "states.pause" : "states.play"));
    set(this.play.querySelector("path") ?? this.play, { d: this.timer ? ICONS.pause : ICONS.play });
    set(this.figure, { "aria-label": word("states.cell") });
    set(this.equations, { "aria-label": word("states.cell") });
  }

  draw(course: Course): void {
    const moved = this.course?.cell.t !== course.cell.t;
    this.course = course;
    const { cell, kind } = course;
    this.where.textContent = `${this.word("states.unit", { unit: cell.unit })} · ${this.word("states.at", { t: cell.t })}`;
    this.element.dataset.unit = String(cell.unit);
    this.element.dataset.t = String(cell.t);
    this.back.disabled = cell.t === 0;
    this.forth.disabled = cell.t >= course.steps - 1;
    const diagram = DIAGRAMS[kind];
    this.figure.hidden = !diagram;
    if (diagram) this.figure.replaceChildren(this.diagram(course, moved && this.timer !== 0));
    const lines = cell.equations.map(({ mathml, latex }) => formula(mathml, latex));
    const note = !lines.length
      ? this.word("states.noCell")
      : cell.equations.some(({ latex }) => latex.startsWith("m_t"))
        ? this.word("states.projected")
        : "";
    this.equations.replaceChildren(...lines, note ? h("p", { class: "lt-quiet" }, note) : "");
  }

  private diagram(course: Course, animate: boolean): SVGSVGElement {
    const { boxes, dots, wires, width, height } = DIAGRAMS[course.kind]!;
    const before = course.backwards ? "ₜ₊₁" : "ₜ₋₁";
    const numbers = course.cell.numbers;
    const limit = Math.max(1, ...["c", "c_before"].map((name) => (finite(numbers[name]) ? Math.abs(numbers[name]) : 0)));
    const time = duration(PACE);
    const staged = <E extends SVGElement>(element: E, stage: number): E => {
      if (animate && time && stage) {
        element.classList.add("lt-stage");
        element.style.animationDelay = `${((stage - 1) * time) / 4}ms`;
      }
      return element;
    };
    const said = boxes.map(([name, , , title]) => `${title.replace("ₚ", before)} = ${spoken(numbers[name] ?? null, 3)}`);
    return s(
      "svg",
      { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", class: "lt-cell-diagram", "aria-label": said.join(", ") },
      ...wires.map(([d, stage]) => staged(s("path", { d, class: "lt-wire" }), stage)),
      ...boxes.map(([name, x, y, title, stage]) => {
        const value = numbers[name];
        const rect = s("rect", { x: x - BOX.width / 2, y: y - BOX.height / 2, ...BOX, rx: 7 });
        rect.style.fill = finite(value) ? signed(value, limit, 0.5) : "var(--lt-wash)";
        return staged(
          s(
            "g",
            { class: "lt-cell-box", "data-name": name },
            rect,
            s("text", { x, y: y - 4, class: "lt-cell-name" }, title.replace("ₚ", before)),
            s("text", { x, y: y + 12, class: "lt-cell-value" }, spoken(value ?? null, 3)),
          ),
          stage,
        );
      }),
      ...dots.map(([, x, y, title, stage]) => {
        const wide = title.length > 1 ? 12 + 6.5 * title.length : 20;
        return staged(
          s(
            "g",
            { class: "lt-cell-dot" },
            s("rect", { x: x - wide / 2, y: y - 10, width: wide, height: 20, rx: 10 }),
            s("text", { x, y: y + 4 }, title),
          ),
          stage,
        );
      }),
    );
  }
}
