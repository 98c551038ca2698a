// The bar of a dashboard: the moment that all its views show, and which of them are open.
import type { RenderProps } from "@anywidget/types";
import { button, h, label, set } from "../shared/dom";
import { Host } from "../shared/host";
import { counted, spoken } from "../shared/numbers";
import { timeline } from "../shared/timeline";
import type { DashboardFrame, ViewName } from "./contract";
import "./dashboard.css";
import "./words";

function render({ model, el }: RenderProps) {
  const host = new Host<DashboardFrame>(model, el);
  const { word } = host;

  const title = h("h2");
  const reading = h("span", { class: "lt-quiet", role: "status" });
  const choice = h("div", { class: "lt-group lt-choice", role: "group" });
  const language = button("", null, () =>
    host.send("language", { code: host.language === "zh" ? "en" : "zh" }),
  );
  const switches = new Map<ViewName, HTMLButtonElement>();
  const time = timeline(host);
  el.classList.add("lt-dashboard");
  el.replaceChildren(
    h("div", { class: "lt-bar" }, title, reading, h("div", { class: "lt-group lt-push" }, choice, language)),
    time.element,
  );

  function toggle(name: ViewName): HTMLButtonElement {
    const made = button("", null, () => {
      const open = made.getAttribute("aria-pressed") === "true";
      set(made, { "aria-pressed": String(!open) });
      host.send("show", { name, open: !open });
    });
    switches.set(name, made);
    return made;
  }

  function drawFrame(frame: DashboardFrame): void {
    title.textContent = frame.title;
    reading.textContent =
      frame.step === null
        ? word("watch.waiting")
        : [
            word("time.step", { step: counted(frame.step) }),
            frame.loss !== null && word("watch.loss", { loss: spoken(frame.loss, 4) }),
            frame.rate !== null && word("watch.rate", { rate: spoken(frame.rate) }),
          ]
            .filter(Boolean)
            .join(" · ");
    el.dataset.step = String(frame.step ?? "");
    const shown = frame.views.map(({ name }) => switches.get(name) ?? toggle(name));
    if (shown.some((each, i) => choice.children[i] !== each) || choice.children.length !== shown.length)
      choice.replaceChildren(...shown);
    for (const { name, open } of frame.views) {
      const made = switches.get(name);
      if (!made) continue;
      label(made, word(`watch.view.${name}`));
      set(made, { "aria-pressed": String(open) });
    }
    time.draw(frame.time);
  }

  function speak(): void {
    set(choice, { "aria-label": word("watch.views") });
    label(language, word("watch.language"), word("watch.languageTitle"));
    set(language, { lang: host.language === "zh" ? "en" : "zh" });
    drawFrame(host.frame);
  }

  speak();
  host.frames(drawFrame);
  host.on("language", speak);
  return host.end;
}

export default { render };
