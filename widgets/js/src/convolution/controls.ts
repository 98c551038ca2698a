// Sliders, presets, and a kernel whose elements can be written over.
import { h, set } from "../shared/dom";
import { signed } from "../shared/colour";
import { spoken } from "../shared/numbers";

export function slider(least: number, most: number, changed: (value: number) => void) {
  const name = h("span");
  const input = h("input", { type: "range", class: "lt-slider", min: least, max: most, step: 1 });
  const reading = h("output");
  const element = h("label", { class: "lt-knob" }, name, input, reading);
  let asked = 0;
  let chosen = least; // a frame on its way may set the input back before it is read
  input.addEventListener("input", () => {
    reading.textContent = input.value;
    chosen = Number(input.value);
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      changed(chosen);
    });
  });
  return {
    element,
    draw(text: string, value: number): void {
      name.textContent = text;
      set(input, { "aria-label": text, "aria-valuetext": String(value) });
      if (!input.matches(":active")) input.value = String(value);
      reading.textContent = input.value;
    },
  };
}

/** The kernel as boxes to type into. */
export class KernelEditor {
  readonly element = h("div", { class: "lt-editor", role: "group" });
  private readonly edited = new Set<HTMLInputElement>(); // what is being typed stays

  constructor(private readonly changed: (row: number, column: number, value: string) => void) {}

  draw(kernel: number[][], name: (row: number, column: number) => string): void {
    const columns = kernel[0]?.length ?? 0;
    const count = kernel.length * columns;
    this.element.style.gridTemplateColumns = `repeat(${columns}, 1fr)`;
    if (this.element.childElementCount !== count || this.element.dataset.columns !== String(columns)) {
      this.element.dataset.columns = String(columns);
      this.element.replaceChildren(
        ...Array.from({ length: count }, (_, i) => this.box(Math.floor(i / columns), i % columns)),
      );
    }
    const limit = Math.max(...kernel.flat().map(Math.abs));
    [...this.element.children].forEach((each, i) => {
      const box = each as HTMLInputElement;
      const [row, column] = [Math.floor(i / columns), i % columns];
      const value = kernel[row]?.[column] ?? 0;
      set(box, { "aria-label": name(row, column) });
      box.style.background = signed(value, limit, 0.45);
      box.dataset.value = spoken(value, 3);
      if (!this.edited.has(box)) box.value = box.dataset.value;
    });
  }

  private box(row: number, column: number): HTMLInputElement {
    const box = h("input", { type: "text", inputmode: "decimal", spellcheck: "false" });
    const back = () => {
      this.edited.delete(box);
      box.value = box.dataset.value ?? "";
    };
    box.addEventListener("focus", () => box.select());
    const submit = () => {
      if (!this.edited.delete(box)) return;
      if (Number.isFinite(Number(box.value.trim().replace("−", "-").replace(",", ".") || NaN)))
        this.changed(row, column, box.value);
      else back();
    };
    box.addEventListener("input", () => this.edited.add(box));
    box.addEventListener("change", submit);
    box.addEventListener("blur", back);
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") back();
      if (event.key === "Enter") submit();
    });
    return box;
  }
}
