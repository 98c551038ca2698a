// Tensors: what they are, how they lie in memory, how shapes are broadcast.
import type { RenderProps } from "@anywidget/types";
import { button, h, label, set } from "../shared/dom";
import { Host } from "../shared/host";
import { table } from "../shared/table";
import { broadcast } from "./broadcast";
import type { TensorsFrame } from "./contract";
import { factsOf, MemoryView } from "./memory";
import "./tensors.css";
import "./words";

function render({ model, el }: RenderProps) {
  const host = new Host<TensorsFrame>(model, el);
  const { word } = host;
  const title = h("h2");
  const hint = h("p", { class: "lt-quiet lt-tensors-hint" });
  const body = h("div", { class: "lt-memories" });
  const tableBox = h("div", { class: "lt-scroll", tabindex: 0, role: "region", hidden: true });
  const toggleTable = button("", null, () => {
    tabled = !tabled;
    draw(host.frame);
  });
  let tabled = false;
  const views = new Map<number, MemoryView>();
  el.replaceChildren(
    h("div", { class: "lt-bar" }, title, h("div", { class: "lt-push lt-group" }, toggleTable)),
    hint,
    body,
    tableBox,
  );

  function draw(frame: TensorsFrame): void {
    const shapes = frame.broadcast;
    title.textContent = word(shapes ? "broadcast.title" : "tensors.title");
    hint.textContent = word("tensors.hint");
    label(toggleTable, word("table.show"));
    set(toggleTable, { "aria-pressed": String(tabled) });
    toggleTable.hidden = shapes !== null; // it is a table
    hint.hidden = shapes !== null || tabled;
    body.hidden = tabled;
    tableBox.hidden = !tabled;
    if (shapes) body.replaceChildren(broadcast(shapes, word));
    else drawMemories(frame);
    if (tabled) drawTable(frame);
  }

  function drawMemories(frame: TensorsFrame): void {
    const wanted = frame.memories.map((memory) => {
      let view = views.get(memory.storage);
      if (!view) {
        view = new MemoryView(word, {
          window: (of, wish) => host.send("window", { of, ...wish }),
          strip: (storage, start) => host.send("strip", { storage, start }),
        });
        views.set(memory.storage, view);
      }
      view.draw(memory, frame.tensors);
      return view.element;
    });
    if (wanted.some((element, i) => body.children[i] !== element) || body.childElementCount !== wanted.length)
      body.replaceChildren(...wanted);
  }

  function drawTable(frame: TensorsFrame): void {
    set(tableBox, { "aria-label": word("tensors.title") });
    const facts = frame.tensors.map((tensor) => new Map(factsOf(tensor, word)));
    const heads = [...new Set(facts.flatMap((each) => [...each.keys()]))];
    const rows = frame.tensors.map((tensor, i) => [
      tensor.name,
      String(tensor.storage + 1),
      ...heads.map((head) => facts[i]?.get(head) ?? "–"),
    ]);
    const columns = [word("tensors.name"), word("tensors.memoryOf"), ...heads];
    tableBox.replaceChildren(table(word("tensors.title"), columns, rows, columns.length));
  }

  draw(host.frame);
  host.frames(draw);
  host.on("language", () => {
    views.clear();
    draw(host.frame);
  });
  return host.end;
}

export default { render };
