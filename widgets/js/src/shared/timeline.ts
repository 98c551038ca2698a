// The slider that rewinds: it moves the cursor that all views of a recording share.
import { button, h, label, set } from "./dom";
import type { Frame, Host, Span } from "./host";
import { counted } from "./numbers";

export function timeline<F extends Frame>(host: Host<F>) {
  const slider = h("input", { type: "range", class: "lt-slider", step: 1 });
  const reading = h("output", { class: "lt-reading" });
  const live = button("", null, () => host.send("seek", { step: null }));
  live.classList.add("lt-live");
  live.prepend(h("i", { "aria-hidden": "true" }));
  const element = h("div", { class: "lt-timeline" }, slider, reading, live);

  let asked = 0;
  let wanted = 0; // a frame on its way may set the slider back before it is read
  slider.addEventListener("input", () => {
    wanted = Number(slider.value);
    // One message a frame, however fast the pointer moves.
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      host.send("seek", { step: wanted });
    });
  });
  slider.addEventListener("keydown", (event) => {
    // The store may have let steps go: a key moves to the next one that is kept.
    const shift = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[
      event.key
    ];
    if (shift !== undefined) host.send("shift", { count: shift });
    else if (event.key === "Home") host.send("seek", { step: 0 });
    else if (event.key === "End") host.send("seek", { step: null });
    else return;
    event.preventDefault();
  });

  function draw(time: Span): void {
    const empty = !host.get<boolean>("timeline") || time.first === null || time.last === null;
    for (const part of [element, slider, reading, live]) part.hidden = empty;
    if (empty) return;
    set(slider, { min: time.first, max: time.last, "aria-label": host.word("time.slider") });
    slider.disabled = time.first === time.last;
    const step = time.live ? time.last : time.step;
    // While dragged, the thumb belongs to the pointer.
    if (!slider.matches(":active")) slider.value = String(step);
    const spokenStep = host.word("time.step", { step: counted(step ?? 0) });
    slider.setAttribute("aria-valuetext", spokenStep);
    reading.textContent = spokenStep;
    reading.title = [host.word("time.kept", { kept: counted(time.kept) }), time.dropped]
      .filter(Boolean)
      .join(" · ");
    label(live, host.word("time.live"));
    live.title = host.word("time.goLive");
    set(live, { "aria-pressed": String(time.live) });
  }

  return { element, slider, reading, live, draw };
}
