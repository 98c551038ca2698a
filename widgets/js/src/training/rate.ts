// The learning rate: a slider for its order of magnitude, a box for its exact value.
import { h, set } from "../shared/dom";
import type { Host } from "../shared/host";
import type { TrainingFrame } from "./contract";

const DOWN = 3; // decades around the rate that training began with
const UP = 2;
const SETTLE = 600; // milliseconds

export function rateControl(host: Host<TrainingFrame>) {
  const name = h("span", { class: "lt-rate-name" });
  const slider = h("input", { type: "range", class: "lt-slider", step: 0.01 });
  const box = h("input", { type: "text", class: "lt-box", inputmode: "decimal", spellcheck: "false" });
  const refusal = h("p", { class: "lt-refusal", role: "alert" });
  const element = h("div", { class: "lt-rate" }, name, slider, box, refusal);

  let asked = 0;
  let wanted = 0; // a frame on its way may set the slider back before it is read
  let touched = -Infinity;
  slider.addEventListener("input", () => {
    touched = performance.now();
    box.value = String((wanted = chosen()));
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      host.send("rate", { value: wanted });
    });
  });
  const chosen = () => Number((10 ** Number(slider.value)).toPrecision(3));
  const submit = () => {
    if (box.value.trim() !== written(host.frame.rate)) host.send("rate", { value: box.value });
  };
  box.addEventListener("change", submit);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") box.value = written(host.frame.rate);
    if (event.key === "Enter") submit();
  });

  function draw(frame: TrainingFrame): void {
    element.hidden = frame.rate === null;
    const over = ["done", "stopped", "error"].includes(frame.state);
    slider.disabled = box.disabled = over;
    refusal.textContent = frame.refused ?? "";
    set(box, { "aria-invalid": frame.refused ? "true" : null });
    name.textContent = host.word("rate.title");
    set(box, { "aria-label": host.word("rate.title") });
    set(slider, { "aria-label": host.word("rate.slider") });
    if (frame.rate === null) return;
    if (!slider.min || slider.dataset.ready === undefined) {
      const middle = Math.round(Math.log10(frame.rate));
      set(slider, { min: middle - DOWN, max: middle + UP, "data-ready": true });
    }
    // A frame on its way when the thumb moved still tells the old rate.
    const moving = slider.matches(":active") || performance.now() - touched < SETTLE;
    if (!moving) slider.value = String(Math.log10(frame.rate));
    slider.setAttribute("aria-valuetext", written(frame.rate));
    // What was refused goes away, what is being typed stays.
    if (frame.refused || !(moving || box.matches(":focus"))) box.value = written(frame.rate);
  }

  return { element, draw };
}

function written(rate: number | null): string {
  return rate === null ? "" : String(rate);
}
