// The backward pass, one stop at a time: a player below the graph, and marks in the graph.
import { select } from "d3-selection";
import { ArrayView, type Slab } from "../shared/array";
import { button, h, ICONS, label, set } from "../shared/dom";
import { formula } from "../shared/mathml";
import { type Num, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { Backward, Edge, Fan, Item } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;

const SLOW = 1250; // milliseconds a stop while it plays
const BACK = "M13 2.5v11L5.5 8zM5 2.5v11H2.8v-11z";
const LAST = "M2.5 2.5v11L8 8zM8 2.5v11L13.5 8z";

export class Player {
  readonly element: HTMLElement;
  readonly opener: HTMLButtonElement;
  private readonly previous: HTMLButtonElement;
  private readonly play: HTMLButtonElement;
  private readonly next: HTMLButtonElement;
  private readonly last: HTMLButtonElement;
  private readonly leave: HTMLButtonElement;
  private readonly place = h("span", { class: "lt-quiet lt-place" });
  private readonly told = h("div", { class: "lt-told", role: "status" });
  private readonly fans = h("div", { class: "lt-fans" });
  private state: Backward | null = null;
  private timer = 0;

  constructor(
    private readonly word: Word,
    private readonly go: (at: number | null) => void,
  ) {
    this.opener = button("", null, () => {
      if (this.state) this.stop(null);
      else {
        this.go(0);
        this.element.hidden = false;
        this.element.focus({ preventScroll: true });
      }
    });
    this.previous = button("", BACK, () => this.move(-1), true);
    this.play = button("", ICONS.play, () => this.toggle(), true);
    this.next = button("", ICONS.step, () => this.move(1), true);
    this.last = button("", LAST, () => this.stop(Number.MAX_SAFE_INTEGER), true);
    this.leave = button("", ICONS.close, () => this.stop(null), true);
    this.element = h(
      "div",
      { class: "lt-player", role: "group", tabindex: -1, hidden: true },
      h(
        "div",
        { class: "lt-group" },
        this.previous,
        this.play,
        this.next,
        this.last,
        this.place,
      ),
      this.told,
      this.leave,
      this.fans,
    );
  }

  /** Keys of the player, wherever in the view they are pressed but in a field or on a button. */
  key(event: KeyboardEvent): void {
    if (!this.state || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as Element;
    if (target.matches("input, textarea, select")) return;
    const inside = this.element.contains(target);
    const button = target.matches("button, summary");
    if (event.key === ".") this.move(1);
    else if (event.key === ",") this.move(-1);
    else if (event.key === " " && inside && !button) this.toggle();
    else if (event.key === "ArrowRight" && inside) this.move(1);
    else if (event.key === "ArrowLeft" && inside) this.move(-1);
    else if (event.key === "Home" && inside) this.stop(0);
    else if (event.key === "End" && inside) this.stop(Number.MAX_SAFE_INTEGER);
    else if (event.key === "Escape" && inside) this.stop(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  draw(state: Backward | null | undefined): void {
    const { word } = this;
    this.state = state ?? null;
    set(this.opener, { "aria-pressed": String(!!state) });
    label(this.opener, word("back.open"), word("back.what"));
    set(this.opener, { "aria-label": word("back.open") });
    this.element.hidden = !state;
    if (!state) {
      this.pause();
      return;
    }
    set(this.element, { "aria-label": word("back.what"), "aria-description": word("back.help") });
    label(this.previous, word("back.previous"), word("back.previous"));
    label(this.next, word("back.next"), word("back.next"));
    label(this.last, word("back.last"), word("back.last"));
    label(this.leave, word("back.leave"), word("back.leave"));
    const ended = state.at >= state.count - 1;
    this.previous.disabled = state.at <= 0;
    this.next.disabled = this.last.disabled = ended;
    this.play.disabled = state.count === 0;
    if (ended) this.pause();
    this.drawPlay();
    if (!state.count) {
      this.place.textContent = "";
      this.told.replaceChildren(word("back.none"));
      this.fans.replaceChildren();
      return;
    }
    this.place.textContent = word("back.place", { at: state.at + 1, count: state.count });
    this.tell(state);
    this.fans.replaceChildren(...(state.fans ?? []).map((fan) => this.fan(fan)));
  }

  /** What happens at the stop, in words and with its rule. */
  private tell(state: Backward): void {
    const { word } = this;
    const values = {
      name: state.name ?? "",
      norm: spoken(state.norm),
      operations: state.operations ?? 0,
      leaves: state.leaves ?? 0,
    };
    const key: Key =
      state.kind === "leaf" ? "back.leaf" : state.kind === "scope" ? "back.scope" : state.at ? "back.op" : "back.loss";
    const sent = (state.sent ?? []).map((each) => {
      const rule = each.mathml ? formula(each.mathml, each.latex) : null;
      rule?.setAttribute("display", "inline");
      return h(
        "span",
        { class: "lt-sends" },
        rule,
        ` → ${each.to || each.argument}, ${word("pane.norm")} ${spoken(each.norm)}`,
      );
    });
    this.told.replaceChildren(h("span", {}, word(key, values)), ...sent);
  }

  /** A tensor with several consumers: what each has sent, and the sum so far. */
  private fan(fan: Fan): HTMLElement {
    const { word } = this;
    const whole = fan.arrived === fan.count;
    const term = (title: string, slab: Slab | null, norm: Num | null, tone: string) =>
      h(
        "figure",
        { class: `lt-part ${tone}` },
        tone === "lt-awaited" || !slab
          ? h("div", { class: "lt-awaited-box" }, slab ? word("back.notYet") : "–")
          : thumbnail(slab, title, word),
        h("figcaption", {}, title, h("span", { class: "lt-quiet" }, norm === null ? "" : ` ‖·‖ ${spoken(norm)}`)),
      );
    const parts = fan.parts.flatMap((part, i) => [
      ...(i ? [h("b", { "aria-hidden": "true" }, "+")] : []),
      term(
        word("back.from", { name: part.from }),
        part.slab,
        part.arrived ? part.norm : null,
        part.now ? "lt-arriving" : part.arrived ? "" : "lt-awaited",
      ),
    ]);
    return h(
      "div",
      { class: "lt-fan" },
      h("p", {}, word("back.fan", { name: fan.name, arrived: fan.arrived, count: fan.count })),
      h(
        "div",
        { class: "lt-terms" },
        ...parts,
        h("b", { "aria-hidden": "true" }, "="),
        term(word(whole ? "back.total" : "back.partial"), fan.sum, fan.norm, whole ? "lt-total" : "lt-partial"),
      ),
    );
  }

  private drawPlay(): void {
    const playing = this.timer !== 0;
    const text = this.word(playing ? "back.pause" : "back.play");
    label(this.play, text, text);
    this.play.querySelector("path")?.setAttribute("d", playing ? ICONS.pause : ICONS.play);
  }

  private toggle(): void {
    if (this.timer) this.pause();
    else {
      const state = this.state;
      if (!state) return;
      // At the end it begins anew.
      this.go(state.at >= state.count - 1 ? 0 : state.at + 1);
      this.timer = window.setInterval(() => this.state && this.go(this.state.at + 1), SLOW);
    }
    this.drawPlay();
  }

  pause(): void {
    clearInterval(this.timer);
    this.timer = 0;
  }

  private move(by: number): void {
    this.pause();
    if (this.state) this.go(Math.max(0, Math.min(this.state.count - 1, this.state.at + by)));
  }

  private stop(at: number | null): void {
    this.pause();
    if (at === null) this.opener.focus();
    this.go(at === null ? null : Math.min(at, (this.state?.count ?? 1) - 1));
  }
}

function thumbnail(slab: Slab, name: string, word: Word): HTMLElement {
  const array = new ArrayView(word, { name, symlog: true, ask: () => undefined, width: 96, bare: true });
  array.draw(slab);
  return array.element;
}

/** Marks where the pass is, what it has reached, and what flowed along the edges. */
export function mark(stage: Element, state: Backward | null | undefined): void {
  const reached = new Set(state?.reached ?? []);
  const flowed = new Map((state?.edges ?? []).map((edge) => [edge.key, edge]));
  stage.classList.toggle("lt-backward", !!state?.count);
  select(stage)
    .selectAll<SVGGElement, Item>(".lt-item:not(.lt-leaving)")
    .classed("lt-turn", (item) => item.key === state?.item)
    .classed("lt-reached", (item) => reached.has(item.key));
  select(stage)
    .selectAll<SVGElement, Edge>(".lt-edge:not(.lt-leaving)")
    .classed("lt-flowed", (edge) => flowed.has(edge.key))
    .classed("lt-flowing", (edge) => flowed.get(edge.key)?.now ?? false);
  select(stage)
    .selectAll<SVGTextElement, Edge>(".lt-shape-label:not(.lt-leaving)")
    .classed("lt-flowed", (edge) => flowed.has(edge.key))
    .each(function (edge) {
      const flow = flowed.get(edge.key);
      if (flow) this.textContent = flow.norm === null ? edge.text : `‖·‖ ${spoken(flow.norm)}`;
    });
}
