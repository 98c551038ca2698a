// Where the graph changed from step to step, and how.
import { button, h, label, set } from "../shared/dom";
import type { Host } from "../shared/host";
import { counted, shapeText } from "../shared/numbers";
import type { Comparison, GraphFrame } from "./contract";
import type { Drawing } from "./drawing";

const LEFT = "M10.5 3 5.5 8 10.5 13 11.6 11.9 7.7 8 11.6 4.1z";
const RIGHT = "M5.5 3 10.5 8 5.5 13 4.4 11.9 8.3 8 4.4 4.1z";
const SIGNS = { added: "+", removed: "−" } as const;
let made = 0;

/** Steps to the changes, beside the time slider, on which they are ticks. */
export function changes(host: Host<GraphFrame>, slider: HTMLInputElement) {
  const { word } = host;
  const last = button("", LEFT, () => host.send("change", { direction: -1 }), true);
  const next = button("", RIGHT, () => host.send("change", { direction: 1 }), true);
  const text = h("span", { class: "lt-quiet" });
  const ticks = h("datalist", { id: `lt-ticks-${++made}` });
  const element = h("div", { class: "lt-group lt-changes", hidden: true }, text, last, next, ticks);
  set(slider, { list: ticks.id });
  let drawn = "";

  function draw(frame: GraphFrame): void {
    const steps = frame.changes ?? [];
    const here = frame.time.shown ?? 0;
    element.hidden = !steps.length;
    last.disabled = !steps.some((step) => step < here);
    next.disabled = !steps.some((step) => step > here);
    const [only] = steps;
    text.textContent =
      steps.length === 1 && only !== undefined
        ? word("graph.changedAt", { step: counted(only) })
        : word("graph.changedTimes", { count: counted(steps.length) });
    if (drawn === steps.join()) return;
    drawn = steps.join();
    ticks.replaceChildren(...steps.map((step) => h("option", { value: step })));
  }

  function speak(): void {
    label(last, word("graph.lastChange"), word("graph.lastChange"));
    label(next, word("graph.nextChange"), word("graph.nextChange"));
  }

  return { element, draw, speak };
}

/** What was added and removed, in a line, and one by one. */
export function comparison(host: Host<GraphFrame>, drawing: Drawing) {
  const { word } = host;
  const text = h("strong");
  const added = h("span", { class: "lt-added" });
  const removed = h("span", { class: "lt-removed" });
  const summary = h("summary");
  const list = h("ul");
  const details = h("details", {}, summary, list);
  const end = button("", null, () => host.send("compare", { step: null }));
  const element = h(
    "div",
    { class: "lt-comparison", hidden: true },
    h("div", { class: "lt-group", role: "status" }, text, added, removed),
    details,
    end,
  );

  function draw(): void {
    const now = host.get<Comparison | null>("comparison");
    element.hidden = !now;
    if (!now) return;
    text.textContent = word("graph.compared", { step: counted(now.step), with: counted(now.with) });
    added.textContent = now.added ? `+ ${word("graph.added", { count: now.added })}` : "";
    removed.textContent = now.removed ? `− ${word("graph.removed", { count: now.removed })}` : "";
    if (!now.added && !now.removed) added.textContent = word("graph.same");
    details.hidden = !now.changes.length;
    summary.textContent = word("graph.changes");
    label(end, word("graph.noCompare"));
    list.replaceChildren(
      ...now.changes.map((each) => {
        const where = each.where ? ` · ${each.where}` : "";
        const says = `${SIGNS[each.change]} ${each.name}${where} · ${shapeText(each.shape)}`;
        const link = button(says, null, () => {
          host.send("reveal", { key: each.key });
          drawing.show(each.key);
        });
        link.classList.add(`lt-${each.change}`);
        const kind = `${word(`graph.change.${each.change}`)}: ${each.name}${where}`;
        link.setAttribute("aria-label", kind);
        return h("li", {}, link);
      }),
    );
  }

  let last = "";
  host.on("comparison", () => {
    draw();
    const now = host.get<Comparison | null>("comparison");
    const which = now ? `${now.with} ${now.step}` : "";
    if (which && which !== last) drawing.lookAt(now?.changes[0]?.key ?? null);
    last = which;
  });
  return { element, draw };
}
