// What is wanted less often, behind one button: repeats, a lit path, comparing, saving.
import { button, h, label, set } from "../shared/dom";
import type { Host } from "../shared/host";
import type { GraphFrame, Scene } from "./contract";
import type { Drawing } from "./drawing";

const DOTS = "M2 6.6h2.8v2.8H2zM6.6 6.6h2.8v2.8H6.6zM11.2 6.6H14v2.8h-2.8z";
const FORMATS = ["svg", "png", "dot", "html"] as const;
const TYPES = { svg: "image/svg+xml", png: "image/png", dot: "text/vnd.graphviz", html: "text/html" };

export function menu(host: Host<GraphFrame>, drawing: Drawing) {
  const { word } = host;
  const opener = button("", DOTS, () => open(panel.hidden), true);
  const roll = button("", null, () => {
    host.send("repeats", { unrolled: !host.get<Scene>("scene").unrolled });
    open(false);
  });
  const pin = button("", null, () => {
    drawing.pin();
    open(false);
  });
  const step = h("input", { type: "number", class: "lt-number", min: 0, step: 1 });
  const compare = button("", null, () => {
    if (step.value !== "") host.send("compare", { step: Number(step.value) });
    open(false);
  });
  const comparing = h("div", { class: "lt-menu-row" }, h("label", {}, h("span"), step), compare);
  const saveName = h("p", { class: "lt-quiet" });
  const formats = FORMATS.map((format) => {
    const each = button("", null, () => {
      host.send("export", { format });
      open(false);
    });
    each.dataset.format = format;
    return each;
  });
  const panel = h("div", { class: "lt-menu", role: "group", hidden: true }, roll, pin, comparing, saveName, ...formats);
  const element = h("div", { class: "lt-menu-home" }, opener, panel);

  function open(wanted: boolean): void {
    panel.hidden = !wanted;
    set(opener, { "aria-expanded": String(wanted) });
    if (!wanted) return;
    const scene = host.get<Scene>("scene");
    roll.hidden = !scene.repeats;
    label(roll, word(scene.unrolled ? "graph.roll" : "graph.unroll"));
    set(pin, { "aria-pressed": String(drawing.isPinned) });
    const { time } = host.frame;
    comparing.hidden = time.kept < 2;
    set(step, { max: time.last });
    panel.querySelector<HTMLElement>("button:not([hidden])")?.focus();
  }

  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || panel.hidden) return;
    open(false);
    opener.focus();
    event.stopPropagation();
  });
  const outside = ({ target }: Event) => {
    if (target instanceof Node && !element.contains(target)) open(false);
  };
  document.addEventListener("pointerdown", outside, true);
  host.cleanup(() => document.removeEventListener("pointerdown", outside, true));

  // The kernel answers with the file; the browser saves it.
  const receive = (content: unknown, buffers?: DataView[]) => {
    const { file } = (content ?? {}) as { file?: string };
    const data = buffers?.[0];
    if (!file || !data) return;
    const type = TYPES[file.split(".").pop() as keyof typeof TYPES];
    const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    const url = URL.createObjectURL(new Blob([bytes], { type }));
    h("a", { href: url, download: file }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  host.model.on("msg:custom", receive);
  host.cleanup(() => host.model.off("msg:custom", receive));

  function speak(): void {
    label(opener, word("graph.menu"), word("graph.menu"));
    set(opener, { "aria-expanded": String(!panel.hidden) });
    set(panel, { "aria-label": word("graph.menu") });
    label(pin, word("graph.pin"));
    comparing.querySelector("span")?.replaceChildren(word("graph.compareWith"));
    label(compare, word("graph.compare"));
    saveName.textContent = word("graph.save");
    for (const each of formats) label(each, word(`graph.format.${each.dataset.format as "svg"}`));
  }

  return { element, speak };
}
