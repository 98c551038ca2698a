// The graph in SVG: boxes, frames and edges at the places that the kernel laid them out.
import { interpolateString } from "d3-interpolate";
import { type Selection, select } from "d3-selection";
import "d3-transition";
import { type ZoomBehavior, zoom, zoomIdentity, zoomTransform } from "d3-zoom";
import { symlog } from "../shared/colour";
import { h, s, set } from "../shared/dom";
import { duration } from "../shared/host";
import { counted, finite, shapeText, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { Edge, Glance, GraphFrame, Group, Item, Moments, Scene } from "./contract";
import { Walk } from "./walk";

type Word = (key: Key, values?: Record<string, string | number>) => string;

export interface Acts {
  toggle(key: string): void;
  open(key: string): void;
  close(): void;
}

const BAR = { height: 5, inset: 12, below: 9 };
const SMALLEST = 0.1;
const LEGIBLE = 0.55; // below this scale the numbers cannot be read
const LARGEST = 2.5;

export class Drawing {
  readonly element: HTMLElement;
  private readonly svg: SVGSVGElement;
  private readonly canvas: Selection<SVGGElement, unknown, null, undefined>;
  private readonly zoom: ZoomBehavior<SVGSVGElement, unknown>;
  private scene: Scene | null = null;
  private walk: Walk | null = null;
  private focused: string | null = null;
  private hovered: string | null = null;
  private anchor: string | null = null; // the module opened or closed last
  private pointer: [number, number] = [-1, -1];
  private moved = false; // has the learner zoomed or panned?

  constructor(
    private readonly word: Word,
    private readonly acts: Acts,
  ) {
    this.svg = s(
      "svg",
      { class: "lt-graph", role: "group" },
      s(
        "defs",
        {},
        s(
          "marker",
          {
            id: "lt-arrow",
            viewBox: "0 0 8 8",
            refX: 7.2,
            refY: 4,
            markerWidth: 6.5,
            markerHeight: 6.5,
            orient: "auto",
          },
          s("path", { d: "M0.5,0.8 7.5,4 0.5,7.2z", fill: "context-stroke" }),
        ),
      ),
      s(
        "g",
        { class: "lt-canvas" },
        // Frames are see-through: edges lie below them, so that no edge crosses out a name.
        s("g", { class: "lt-edges" }),
        s("g", { class: "lt-groups" }),
        s("g", { class: "lt-labels" }),
        s("g", { class: "lt-items" }),
      ),
    );
    this.canvas = select(this.svg).select<SVGGElement>(".lt-canvas");
    this.element = h("div", { class: "lt-stage" }, this.svg);
    this.zoom = zoom<SVGSVGElement, unknown>()
      .scaleExtent([SMALLEST, LARGEST])
      // The wheel alone belongs to the page that the view stands in.
      .filter((event: MouseEvent) =>
        event.type === "wheel" ? event.ctrlKey || event.metaKey : !event.button,
      )
      .on("zoom", (event: { transform: { toString(): string }; sourceEvent: Event | null }) => {
        this.canvas.attr("transform", event.transform.toString());
        if (event.sourceEvent) this.moved = true;
      });
    select(this.svg).call(this.zoom).on("dblclick.zoom", null);
    this.svg.addEventListener("keydown", this.onKey);
    for (const type of ["mousemove", "click"] as const)
      this.svg.addEventListener(type, ({ clientX, clientY }) => {
        this.pointer = [clientX, clientY];
      });
    this.svg.addEventListener("focusin", (event) => {
      const key = keyOf(event.target);
      if (key) this.focus(key, false);
      // The pointer lights what it is over; what it clicked need not stay lit.
      if (event.target instanceof Element && !event.target.matches(":focus-visible"))
        this.highlight(this.hovered);
    });
    this.svg.addEventListener("focusout", () => this.highlight(this.hovered));
  }

  zoomBy(factor: number): void {
    this.moved = true;
    select(this.svg).transition().duration(duration()).call(this.zoom.scaleBy, factor);
  }

  /** Shows the whole graph, hardly larger than it was designed. */
  fit(time = duration()): void {
    const { scene } = this;
    const { width, height } = this.svg.getBoundingClientRect();
    if (!scene || !width) return;
    this.moved = false;
    const scale = Math.max(SMALLEST, Math.min(1.2, width / scene.width, height / scene.height));
    const x = (width - scene.width * scale) / 2;
    const y = Math.max(0, (height - scene.height * scale) / 2);
    const target = zoomIdentity.translate(x, y).scale(scale);
    if (time) select(this.svg).transition().duration(time).call(this.zoom.transform, target);
    else select(this.svg).call(this.zoom.transform, target);
  }

  /** Shows the whole where it stays legible; else the box in question, with what follows it. */
  private settle(time: number): void {
    const { scene } = this;
    const { width, height } = this.svg.getBoundingClientRect();
    if (!scene || !width) return;
    if (Math.min(width / scene.width, height / scene.height) >= LEGIBLE) {
      this.fit(time);
      return;
    }
    const box =
      scene.items.find((item) => item.key === this.anchor) ??
      scene.groups.find((group) => group.key === this.anchor) ??
      scene.items[0];
    if (!box) return;
    const x = "kind" in box ? box.x : box.x + box.width / 2;
    const y = "kind" in box ? box.y - box.height : box.y;
    const scale = Math.max(LEGIBLE, Math.min(0.8, width / scene.width));
    const target = zoomIdentity
      .translate(width / 2 - x * scale, Math.min(0, 24 - y * scale))
      .scale(scale);
    if (time) select(this.svg).transition().duration(time).call(this.zoom.transform, target);
    else select(this.svg).call(this.zoom.transform, target);
  }

  /** Keeps the whole in sight while the room changes, unless the learner chose otherwise. */
  resized(): void {
    if (!this.moved) this.settle(0);
  }

  draw(scene: Scene): void {
    const before = this.scene;
    this.scene = scene;
    this.walk = new Walk(scene);
    const time = before ? duration() : 0;
    const place = moves(before, scene);
    const hadFocus = this.svg.contains(document.activeElement);
    set(this.svg, { "aria-label": this.word("graph.title") });
    this.drawGroups(scene, time);
    this.drawEdges(scene, time);
    this.drawItems(scene, time, place);
    const keys = this.walk.order;
    if (!this.focused || !keys.includes(this.focused)) this.focused = keys[0] ?? null;
    this.roam();
    if (hadFocus && this.focused) this.focus(this.focused, true);
    if (!this.moved) this.settle(time);
  }

  /** Puts the numbers of a step into the boxes. */
  fill(frame: GraphFrame): void {
    this.items().each((item, i, nodes) => {
      const node = nodes[i];
      if (node) fillItem(node, item, frame.glances[item.key], frame, this.word);
    });
  }

  mark(opened: string | null): void {
    this.items().classed("lt-opened", (item) => item.key === opened);
  }

  /** Gives the keyboard to a box, or to the first one. */
  focus(key: string | null, grab = true): void {
    this.focused = key ?? this.walk?.order[0] ?? null;
    this.roam();
    this.highlight(this.focused);
    if (grab) this.elementOf(this.focused)?.focus({ preventScroll: true });
    if (grab) this.reveal();
  }

  // Drawing

  private items() {
    return this.canvas.select(".lt-items").selectAll<SVGGElement, Item>("g.lt-item:not(.lt-leaving)");
  }

  private drawItems(scene: Scene, time: number, place: Moves): void {
    const entering = this.canvas
      .select(".lt-items")
      .selectAll<SVGGElement, Item>("g.lt-item:not(.lt-leaving)")
      .data(scene.items, (item) => item.key);
    entering
      .exit<Item>()
      .classed("lt-leaving", true)
      .attr("tabindex", null)
      .attr("role", null)
      .attr("aria-hidden", "true")
      .transition()
      .duration(time)
      .attr("transform", (item) => at(place.to(item)))
      .style("opacity", 0)
      .remove();
    const entered = entering
      .enter()
      .append((item) => this.newItem(item))
      .attr("transform", (item) => at(place.from(item)))
      .style("opacity", time ? 0 : 1);
    const all = entered.merge(entering);
    all.each((item, i, nodes) => {
      const node = nodes[i];
      if (node) shapeItem(node, item, this.word);
    });
    if (time) all.transition().duration(time).attr("transform", at).style("opacity", 1);
    else all.attr("transform", at);
  }

  private newItem(item: Item): SVGGElement {
    const element = s(
      "g",
      { class: `lt-item lt-kind-${item.kind}`, "data-key": item.key, role: "button", tabindex: -1 },
      item.kind === "scope" && s("rect", { class: "lt-behind" }),
      s("rect", { class: "lt-shape" }),
      item.kind === "input" && s("path", { class: "lt-notch" }),
      s("text", { class: "lt-title" }),
      s("text", { class: "lt-subtitle" }),
      s("rect", { class: "lt-track" }),
      s("rect", { class: "lt-below" }),
      s("rect", { class: "lt-above" }),
      s("path", { class: "lt-zero" }),
    );
    element.addEventListener("click", () => {
      this.focus(item.key);
      this.enter(item.key);
    });
    element.addEventListener("mousemove", ({ clientX, clientY }) => {
      // Only a pointer that moves points: a box that moved under it was not pointed at.
      const [x, y] = this.pointer;
      if (this.hovered === item.key || (x === clientX && y === clientY)) return;
      this.highlight((this.hovered = item.key));
    });
    element.addEventListener("mouseleave", () => {
      if (this.hovered === item.key) this.highlight((this.hovered = null));
    });
    return element;
  }

  private drawGroups(scene: Scene, time: number): void {
    const joined = this.canvas
      .select(".lt-groups")
      .selectAll<SVGGElement, Group>("g.lt-group-box:not(.lt-leaving)")
      .data(scene.groups, (group) => group.key);
    joined
      .exit()
      .classed("lt-leaving", true)
      .transition()
      .duration(time)
      .style("opacity", 0)
      .remove();
    const entered = joined.enter().append((group) => this.newGroup(group));
    entered.style("opacity", time ? 0 : 1);
    const all = entered.merge(joined).order();
    all.each((group, i, nodes) => {
      const box = nodes[i]?.querySelector(".lt-header");
      if (!box) return;
      const count = this.ops(group.operations);
      set(box, {
        "aria-label": `${group.title}, ${group.type}, ${this.word("graph.kind.scope")}, ${count}`,
      });
    });
    const moving = time ? all.transition().duration(time).style("opacity", 1) : all;
    // d3's selections and transitions share these methods, though not a type.
    const chain = moving as typeof all;
    chain.attr("transform", (group) => `translate(${group.x},${group.y})`);
    (chain.select(".lt-frame") as Selection<SVGRectElement, Group, SVGGElement, unknown>)
      .attr("width", (group) => group.width)
      .attr("height", (group) => group.height);
  }

  private newGroup(group: Group): SVGGElement {
    const label = s(
      "text",
      { x: 25, y: 16 },
      s("tspan", { class: "lt-title" }, group.title),
      s("tspan", { class: "lt-type", dx: 6 }, group.type),
    );
    const header = s(
      "g",
      { class: "lt-header", "data-key": group.key, role: "button", tabindex: -1 },
      s("rect", {
        class: "lt-handle",
        x: 4,
        y: 3,
        width: Math.max(40, Math.min(group.width - 8, 34 + 7.8 * (group.title.length + group.type.length))),
        height: 19,
        rx: 5,
      }),
      s("path", { class: "lt-sign", d: "M11 12.5h8" }),
      label,
    );
    set(header, { "aria-expanded": "true" });
    header.addEventListener("click", () => {
      this.focus(group.key);
      this.toggle(group.key);
    });
    return s("g", { class: "lt-group-box" }, s("rect", { class: "lt-frame", rx: 10 }), header);
  }

  private drawEdges(scene: Scene, time: number): void {
    const lines = this.join(".lt-edges", scene.edges, time, () =>
      s("path", { class: "lt-edge", "marker-end": "url(#lt-arrow)" }),
    );
    lines.entered.attr("d", (edge) => edge.path);
    const labels = this.join(".lt-labels", scene.edges, time, () => s("text", { class: "lt-shape-label" }));
    labels.entered.attr("x", (edge) => edge.x).attr("y", (edge) => edge.y);
    labels.all.text((edge) => edge.text);
    if (!time) {
      lines.all.attr("d", (edge) => edge.path);
      labels.all.attr("x", (edge) => edge.x).attr("y", (edge) => edge.y);
      return;
    }
    lines.all
      .transition()
      .duration(time)
      .style("opacity", 1)
      .attrTween("d", function (edge) {
        const from = this.getAttribute("d") ?? edge.path;
        // Curves of as many points as before move; others can only be replaced.
        return from.split(",").length === edge.path.split(",").length
          ? interpolateString(from, edge.path)
          : () => edge.path;
      });
    labels.all
      .transition()
      .duration(time)
      .style("opacity", 1)
      .attr("x", (edge) => edge.x)
      .attr("y", (edge) => edge.y);
  }

  /** One element per edge in `layer`; what goes fades out, what comes fades in. */
  private join<E extends SVGElement>(layer: string, edges: Edge[], time: number, make: () => E) {
    const joined = this.canvas
      .select(layer)
      .selectAll<E, Edge>(":scope > :not(.lt-leaving)")
      .data(edges, (edge) => edge.key);
    joined
      .exit()
      .classed("lt-leaving", true)
      .transition()
      .duration(time / 2)
      .style("opacity", 0)
      .remove();
    const entered = joined.enter().append(make).style("opacity", time ? 0 : 1);
    return { entered, all: entered.merge(joined) };
  }

  private ops(count: number): string {
    return count === 1 ? this.word("graph.oneOp") : this.word("graph.ops", { count: counted(count) });
  }

  // Looking around

  private highlight(key: string | null): void {
    const { walk } = this;
    const path = key && walk ? walk.path(key) : null;
    const near = key && walk ? walk.neighbours(key) : null;
    // A frame that has the keyboard is no box on a path: nothing fades then.
    const active = path !== null && path.size > 1;
    this.svg.classList.toggle("lt-lit", active);
    this.items()
      .classed("lt-here", (item) => item.key === key)
      .classed("lt-near", (item) => near?.has(item.key) ?? false)
      .classed("lt-far", (item) => active && !path.has(item.key));
    this.canvas
      .selectAll<SVGElement, Edge>(":is(.lt-edge, .lt-shape-label):not(.lt-leaving)")
      .classed("lt-near", (edge) => edge.source === key || edge.target === key)
      .classed("lt-far", (edge) => active && !(path.has(edge.source) && path.has(edge.target)));
  }

  /** One stop for the tab key; arrows do the rest. */
  private roam(): void {
    for (const element of this.staying())
      element.setAttribute("tabindex", element.dataset.key === this.focused ? "0" : "-1");
  }

  private elementOf(key: string | null): SVGGElement | null {
    return this.staying().find((element) => element.dataset.key === key) ?? null;
  }

  /** What can have the keyboard: not what is on its way out. */
  private staying(): SVGGElement[] {
    return [...this.svg.querySelectorAll<SVGGElement>("[data-key]")].filter(
      (element) => !element.closest(".lt-leaving"),
    );
  }

  /** Pans so that the box with the keyboard is in sight. */
  private reveal(): void {
    const box = this.elementOf(this.focused)?.getBoundingClientRect();
    const stage = this.svg.getBoundingClientRect();
    if (!box || !stage.width) return;
    const pad = 16;
    const over = (low: number, high: number, min: number, max: number) =>
      low < min + pad ? min + pad - low : high > max - pad ? max - pad - high : 0;
    const dx = over(box.left, box.right, stage.left, stage.right);
    const dy = over(box.top, box.bottom, stage.top, stage.bottom);
    if (!dx && !dy) return;
    const { k } = zoomTransform(this.svg);
    select(this.svg).call(this.zoom.translateBy, dx / k, dy / k);
  }

  private toggle(key: string): void {
    this.anchor = key;
    this.acts.toggle(key);
  }

  private enter(key: string): void {
    const item = this.scene?.items.find((candidate) => candidate.key === key);
    if (!item || item.kind === "scope") this.toggle(key);
    else this.acts.open(key);
  }

  private readonly onKey = (event: KeyboardEvent): void => {
    const key = keyOf(event.target);
    if (!key || !this.walk || !this.scene || event.ctrlKey || event.metaKey || event.altKey) return;
    const item = this.scene.items.find((candidate) => candidate.key === key);
    const group = this.scene.groups.find((candidate) => candidate.key === key);
    if (event.key.startsWith("Arrow")) {
      const next = this.walk.step(key, event.key);
      if (next) this.focus(next);
    } else if (event.key === "Home") this.focus(this.walk.order[0] ?? null);
    else if (event.key === "End") this.focus(this.walk.order.at(-1) ?? null);
    else if (event.key === "Enter" || event.key === " ") this.enter(key);
    else if (event.key === "+" || event.key === "=") {
      if (item?.kind === "scope") this.toggle(key);
    } else if (event.key === "-" || event.key === "_") {
      const close = group?.key ?? item?.parent;
      if (close) {
        this.focused = close;
        this.toggle(close);
      }
    } else if (event.key === "Escape") this.acts.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
}

interface Moves {
  from(item: Item): { x: number; y: number };
  to(item: Item): { x: number; y: number };
}

/** A box that enters comes out of the closed module it was in; one that leaves goes into its. */
function moves(before: Scene | null, after: Scene): Moves {
  const places = (scene: Scene | null) => {
    const found = new Map<string, { x: number; y: number }>();
    const parents = new Map<string, string | null>();
    for (const item of scene?.items ?? []) found.set(item.key, item);
    for (const group of scene?.groups ?? []) parents.set(group.key, group.parent);
    return { found, parents };
  };
  const [old, now] = [places(before), places(after)];
  const climb = (
    item: Item,
    parents: Map<string, string | null>,
    found: Map<string, { x: number; y: number }>,
  ) => {
    let key = item.parent;
    while (key) {
      const place = found.get(key);
      if (place) return place;
      key = parents.get(key) ?? null;
    }
    return item;
  };
  return {
    from: (item) => climb(item, now.parents, old.found),
    to: (item) => climb(item, old.parents, now.found),
  };
}

function shapeItem(element: SVGGElement, item: Item, word: Word): void {
  const { width, height } = item;
  const rounding = { op: 6, scope: 8, input: 3, constant: 4 }[item.kind as string] ?? height / 2;
  const box = { x: -width / 2, y: -height / 2, width, height, rx: rounding };
  for (const rect of element.querySelectorAll(".lt-shape")) set(rect, box);
  for (const rect of element.querySelectorAll(".lt-behind"))
    set(rect, { ...box, x: box.x + 4, y: box.y + 4 });
  const notch = element.querySelector(".lt-notch");
  if (notch) set(notch, { d: `M${box.x + 5},${box.y + 4}v${height - 8}` });
  const title = element.querySelector(".lt-title");
  if (title) {
    set(title, { y: -height / 2 + (item.kind === "constant" ? 15 : 17) });
    title.replaceChildren(item.title);
    if (item.kind === "scope") title.append(s("tspan", { class: "lt-type", dx: 6 }, item.type));
  }
  const subtitle = element.querySelector(".lt-subtitle");
  if (subtitle) set(subtitle, { y: -height / 2 + (item.kind === "constant" ? 28 : 32) });
  const kind = word(`graph.kind.${item.kind}`);
  const count =
    item.operations === 1 ? word("graph.oneOp") : word("graph.ops", { count: item.operations });
  set(element, {
    "aria-label":
      item.kind === "scope"
        ? `${item.title}, ${item.type}, ${kind}, ${count}`
        : `${item.title}, ${kind}, ${shapeText(item.shape)}`,
    "aria-expanded": item.kind === "scope" ? "false" : null,
  });
}

function fillItem(
  element: SVGGElement,
  item: Item,
  glance: Glance | undefined,
  frame: GraphFrame,
  word: Word,
): void {
  const failed = frame.failure?.key === item.key;
  element.classList.toggle("lt-failed", failed);
  element.classList.toggle("lt-current", frame.current === item.key);
  const subtitle = element.querySelector(".lt-subtitle");
  if (subtitle)
    subtitle.textContent = failed
      ? `⚠ ${valueText(glance?.value)}`
      : item.kind === "scope"
        ? scopeText(item, word)
        : valueText(glance?.value);
  const range = gradientRange(glance?.grad);
  const half = item.width / 2 - BAR.inset;
  const y = item.height / 2 - BAR.below;
  const wanted = item.requiresGrad || range !== null;
  const bar = (name: string) => element.querySelector<SVGElement>(`.${name}`);
  const track = bar("lt-track");
  if (track) {
    set(track, { x: -half, y, width: 2 * half, height: BAR.height, rx: 2.5 });
    track.classList.toggle("lt-waiting", range === null);
    track.style.display = wanted ? "" : "none";
  }
  const low = symlog(Math.min(range?.[0] ?? 0, 0)) * half;
  const high = symlog(Math.max(range?.[1] ?? 0, 0)) * half;
  const below = bar("lt-below");
  const above = bar("lt-above");
  const zero = bar("lt-zero");
  if (below) set(below, { x: low, y, width: -low, height: BAR.height });
  if (above) set(above, { x: 0, y, width: high, height: BAR.height });
  if (zero) {
    set(zero, { d: `M0,${y - 1.5}v${BAR.height + 3}` });
    zero.style.display = range ? "" : "none";
  }
}

function scopeText(item: Item, word: Word): string {
  const ops =
    item.operations === 1
      ? word("graph.oneOp")
      : word("graph.ops", { count: counted(item.operations) });
  const parameters = item.parameters
    ? word("graph.parameters", { count: counted(item.parameters) })
    : word("graph.noParameters");
  return `${ops} · ${parameters}`;
}

/** One number as itself, many as mean ± standard deviation. */
export function valueText(value: Moments | null | undefined): string {
  if (!value) return "–";
  if (value.nan || value.inf)
    return [value.nan && `${value.nan} NaN`, value.inf && `${value.inf} ∞`].filter(Boolean).join(", ");
  return value.single ? spoken(value.mean, 4) : `${spoken(value.mean)} ± ${spoken(value.std)}`;
}

function gradientRange(grad: Moments | null | undefined): [number, number] | null {
  return grad && finite(grad.min) && finite(grad.max) ? [grad.min, grad.max] : null;
}

function at({ x, y }: { x: number; y: number }): string {
  return `translate(${x},${y})`;
}

function keyOf(target: EventTarget | null): string | null {
  const element = target instanceof Element ? target.closest<SVGGElement>("[data-key]") : null;
  return element?.dataset.key ?? null;
}
