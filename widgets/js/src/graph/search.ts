// Finding a node: type, then step through the matches; what hides one is opened.
import { button, h, label, set } from "../shared/dom";
import type { Host } from "../shared/host";
import type { Found, GraphFrame } from "./contract";
import type { Drawing } from "./drawing";

const DOWN = "M3 5.5 8 10.5 13 5.5 11.9 4.4 8 8.3 4.1 4.4z";
const UP = "M3 10.5 8 5.5 13 10.5 11.9 11.6 8 7.7 4.1 11.6z";
const PATIENCE = 120; // milliseconds after the last letter

export function search(host: Host<GraphFrame>, drawing: Drawing) {
  const { word } = host;
  const input = h("input", { type: "search", class: "lt-find", autocomplete: "off", spellcheck: "false" });
  const count = h("output", { class: "lt-quiet lt-count" });
  const last = button("", UP, () => step(-1), true);
  const next = button("", DOWN, () => step(1), true);
  const element = h("div", { class: "lt-group lt-search", role: "search" }, input, count, last, next);
  let at = -1;
  let timer = 0;
  let wanted = 0; // the step to take when the answer is there

  const found = () => host.get<Found>("found");
  const matches = () => (input.value && found().text === input.value ? found().matches : []);

  function step(by: number): void {
    const all = matches();
    if (!all.length) {
      if (input.value && found().text !== input.value) {
        wanted = by; // faster than the answer
        ask(0);
      }
      return;
    }
    at = at < 0 ? (by > 0 ? 0 : all.length - 1) : (at + by + all.length) % all.length;
    const key = all[at]?.key;
    if (!key) return;
    host.send("reveal", { key });
    drawing.match(all.map((match) => match.key), key);
    drawing.show(key);
    draw();
  }

  function draw(): void {
    const all = matches();
    const { total } = found();
    count.textContent = !input.value
      ? ""
      : all.length
        ? word("graph.match", { at: at + 1, total })
        : found().text === input.value
          ? word("graph.noMatch")
          : "";
    const match = all[at];
    count.title = match ? `${match.title} ${match.where}` : "";
    for (const each of [last, next, count]) each.hidden = !input.value;
    for (const each of [last, next]) each.disabled = !all.length;
  }

  function ask(patience = PATIENCE): void {
    at = -1;
    drawing.match([], null);
    draw();
    clearTimeout(timer);
    timer = window.setTimeout(() => host.send("search", { text: input.value }), patience);
  }

  input.addEventListener("input", () => {
    wanted = 0;
    ask();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
    else if (event.key === "ArrowDown") step(1);
    else if (event.key === "ArrowUp") step(-1);
    else if (event.key === "Escape" && input.value) {
      input.value = "";
      ask();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  host.on("found", () => {
    drawing.match(matches().map((match) => match.key), null);
    draw();
    if (wanted && found().text === input.value) step(wanted);
    wanted = 0;
  });
  host.cleanup(() => clearTimeout(timer));

  function speak(): void {
    set(input, { placeholder: word("graph.find"), "aria-label": word("graph.search") });
    label(last, word("graph.lastMatch"), word("graph.lastMatch"));
    label(next, word("graph.nextMatch"), word("graph.nextMatch"));
    draw();
  }

  return { element, input, speak };
}
