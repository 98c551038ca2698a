// One tensor's distribution over time: a column a step, on the gradients' symmetric log scale.
import palette from "../../../labtorch_widgets/shared/palette.json";
import { symlog } from "../shared/colour";
import { button, h, ICONS, label, s, set } from "../shared/dom";
import type { Span } from "../shared/host";
import { counted, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { Spread } from "./contract";
import { MARGIN, nearest } from "./plot";

type Word = (key: Key, values?: Record<string, string | number>) => string;
const HEIGHT = 180;
const TICKS = [-100, -1, -1e-2, -1e-4, 0, 1e-4, 1e-2, 1, 100];
const KINDS = ["grad", "value", "update"] as const;

export class SpreadPane {
  readonly element: HTMLElement;
  private readonly heading = h("h3");
  private readonly kinds = KINDS.map((of) => button("", null, () => this.choose(of)));
  private readonly group = h("div", { class: "lt-group lt-segments", role: "group" }, ...this.kinds);
  private readonly closer: HTMLButtonElement;
  private readonly canvas = h("canvas", { "aria-hidden": "true" });
  private readonly svg = s("svg", { class: "lt-spread-svg", role: "img", height: HEIGHT });
  private readonly stage = h("div", { class: "lt-over-time" }, this.canvas, this.svg);
  private spread: Spread | null = null;

  constructor(
    private readonly word: Word,
    private readonly open: (key: string, part: string, of: string) => void,
    close: () => void,
    seek: (step: number) => void,
  ) {
    this.closer = button("", ICONS.close, close, true);
    this.element = h(
      "section",
      { class: "lt-spread", hidden: true },
      h("header", { class: "lt-bar" }, this.heading, h("div", { class: "lt-group lt-push" }, this.group, this.closer)),
      this.stage,
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
    });
    this.svg.addEventListener("click", (event) => {
      const { spread } = this;
      if (!spread?.steps.length) return;
      const share = (event.clientX - this.svg.getBoundingClientRect().left - MARGIN.left) / this.span;
      const column = Math.floor(share * spread.steps.length);
      seek(spread.steps[Math.max(0, Math.min(spread.steps.length - 1, column))] ?? 0);
    });
  }

  private choose(of: string): void {
    if (this.spread) this.open(this.spread.key, this.spread.part, of);
  }

  private get span(): number {
    return Math.max(200, this.stage.clientWidth - MARGIN.left - MARGIN.right);
  }

  draw(spread: Spread | null, shares: Float32Array, time: Span, activations: boolean): void {
    this.spread = spread;
    this.element.hidden = !spread;
    if (!spread) return;
    const { word } = this;
    const name = [spread.key, spread.part].filter(Boolean).join(".");
    const title = word("gradients.distribution", {
      layer: name,
      of: word(`gradients.of.${spread.of}` as Key),
    });
    this.heading.textContent = title;
    label(this.closer, word("gradients.close"), word("gradients.close"));
    set(this.group, { "aria-label": word("gradients.of") });
    KINDS.forEach((of, i) => {
      const choice = this.kinds[i];
      if (!choice) return;
      label(choice, word(`gradients.of.${of}`));
      set(choice, { "aria-pressed": String(of === spread.of) });
      choice.hidden = activations && of === "update";
    });
    if (!this.stage.clientWidth) return;
    const [columns, bins] = [spread.steps.length, spread.bins];
    const width = this.span + MARGIN.left + MARGIN.right;
    const tall = HEIGHT - MARGIN.top - MARGIN.bottom;
    const half = bins / 2;
    // As far from zero as any element of the window went, on either side.
    let reach = 1;
    shares.forEach((share, i) => {
      const bin = Math.floor(i / columns);
      if (share) reach = Math.max(reach, bin < half ? half - bin : bin - half + 1);
    });
    set(this.svg, { width, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-label": title });
    set(this.canvas, { width: Math.max(1, columns), height: 2 * reach });
    Object.assign(this.canvas.style, {
      left: `${MARGIN.left}px`,
      top: `${MARGIN.top}px`,
      width: `${this.span}px`,
      height: `${tall}px`,
    });
    const context = this.canvas.getContext("2d");
    for (let column = 0; column < columns && context; column++) {
      let most = 0;
      for (let bin = 0; bin < bins; bin++) most = Math.max(most, shares[bin * columns + column] ?? 0);
      for (let bin = 0; bin < bins; bin++) {
        const share = shares[bin * columns + column] ?? 0;
        if (!share) continue;
        context.globalAlpha = Math.max(0.06, Math.sqrt(share / most));
        context.fillStyle = bin < half ? palette.negative : palette.positive;
        context.fillRect(column, half + reach - 1 - bin, 1, 1);
      }
    }
    const limit = half ? reach / half : 1;
    const down = (value: number) => MARGIN.top + ((1 - symlog(value) / limit) / 2) * tall;
    const ticks = TICKS.filter((tick) => Math.abs(symlog(tick)) <= limit);
    const at = nearest(spread.steps, time.step ?? 0);
    const x = MARGIN.left + ((at + 0.5) / Math.max(1, columns)) * this.span;
    const most = Math.max(2, Math.floor(this.span / 110));
    const every = Math.max(1, Math.ceil(columns / most));
    this.svg.replaceChildren(
      s(
        "g",
        { class: "lt-axes" },
        ...ticks.flatMap((tick) => [
          s("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: down(tick), y2: down(tick) }),
          s("text", { class: "lt-y", x: MARGIN.left - 8, y: down(tick) + 4 }, spoken(tick, 2)),
        ]),
        ...spread.steps.flatMap((step, i) =>
          i % every
            ? []
            : [s("text", { class: "lt-x", x: MARGIN.left + ((i + 0.5) / columns) * this.span, y: HEIGHT - 7 }, counted(step))],
        ),
      ),
      s("line", {
        class: time.live ? "lt-now" : "lt-now lt-rewound",
        x1: x,
        x2: x,
        y1: MARGIN.top,
        y2: HEIGHT - MARGIN.bottom,
        display: at < 0 ? "none" : null,
      }),
    );
  }
}
