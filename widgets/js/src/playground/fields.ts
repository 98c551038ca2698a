// The fields of the playground: each shows a choice, and sends a change of it.
import { h, set } from "../shared/dom";

export interface Field {
  element: HTMLElement;
  draw(name: string, value: number | string): void;
}

/** A list to choose from; a value that is not in it is put in. */
export function choice<T extends string | number>(
  part: string,
  options: readonly T[],
  say: (option: T) => string,
  choose: (option: T) => void,
): Field {
  const name = h("span");
  const select = h("select", { class: "lt-select" });
  const element = h("label", { class: "lt-field", "data-part": part }, name, select);
  let all: T[] = [];
  select.addEventListener("change", () => {
    const option = all[select.selectedIndex];
    if (option !== undefined) choose(option);
  });
  return {
    element,
    draw(text, value) {
      name.textContent = text;
      const known = options.some((option) => option === value);
      all = known ? [...options] : [...options, value as T].sort((a, b) => (a > b ? 1 : -1));
      const texts = all.map(say);
      if (texts.join("\n") !== [...select.options].map((option) => option.text).join("\n"))
        select.replaceChildren(...texts.map((each) => h("option", {}, each)));
      if (!select.matches(":focus") || all[select.selectedIndex] !== value)
        select.selectedIndex = all.findIndex((option) => option === value);
    },
  };
}

/** A slider with its value beside it; while it moves, one message every `pause` milliseconds. */
export function range(
  part: string,
  [min, max, step]: [number, number, number],
  say: (value: number) => string,
  choose: (value: number) => void,
  pause = 120,
): Field {
  const name = h("span");
  const reading = h("b");
  const slider = h("input", { type: "range", class: "lt-slider", min, max, step });
  const element = h("label", { class: "lt-field lt-range", "data-part": part }, name, reading, slider);
  let timer = 0;
  slider.addEventListener("input", () => {
    reading.textContent = say(Number(slider.value));
    timer ||= setTimeout(() => {
      timer = 0;
      choose(Number(slider.value));
    }, pause);
  });
  return {
    element,
    draw(text, value) {
      name.textContent = text;
      set(slider, { "aria-label": text, "aria-valuetext": say(Number(value)) });
      if (timer || slider.matches(":active")) return;
      slider.value = String(value);
      reading.textContent = say(Number(value));
    },
  };
}
