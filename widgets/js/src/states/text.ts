// Characters, stronger in colour where the prediction (or the loss) depends more on them.
import { h, set } from "../shared/dom";
import { finite, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { Course } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;

export class TextPane {
  readonly element: HTMLElement;
  private readonly title = h("h3");
  private readonly name = h("span", { class: "lt-quiet" });
  private readonly choice = h("select", { class: "lt-select" });
  private readonly letters = h("div", { class: "lt-letters", role: "listbox", "aria-orientation": "horizontal" });
  private readonly caption = h("p", { class: "lt-quiet lt-states-caption" });
  private course: Course | null = null;

  constructor(
    private readonly word: Word,
    private readonly place: () => { t: number },
    private readonly look: (t: number) => void,
    ask: (output: number | null) => void,
  ) {
    this.element = h(
      "section",
      { class: "lt-text" },
      h("header", { class: "lt-group" }, this.title, h("label", { class: "lt-group" }, this.name, this.choice)),
      this.letters,
      this.caption,
    );
    this.choice.addEventListener("change", () => ask(this.choice.value === "" ? null : Number(this.choice.value)));
    this.letters.addEventListener("click", (event) => {
      const t = (event.target as HTMLElement).dataset.t;
      if (t !== undefined) this.look(Number(t));
    });
    this.letters.addEventListener("keydown", (event) => {
      const { course } = this;
      if (!course) return;
      const now = this.place().t;
      const t = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: course.steps - 1 }[event.key];
      if (t === undefined) return;
      event.preventDefault();
      if (t >= 0 && t < course.steps) this.look(t);
    });
  }

  draw(course: Course): void {
    this.course = course;
    const { tokens, dependence, cell } = course;
    this.element.hidden = !dependence;
    if (!dependence) return;
    const { word } = this;
    this.title.textContent = word("states.text");
    const values = dependence.values.slice(0, course.longest);
    const most = Math.max(0, ...values.filter(finite));
    const focused = this.letters.contains(document.activeElement);
    this.letters.replaceChildren(
      ...values.map((value, t) => {
        const token = tokens?.[t] ?? String(t);
        const share = finite(value) && most > 0 ? value / most : 0;
        const letter = h("span", {
          role: "option",
          "data-t": t,
          "data-value": String(value),
          tabindex: t === cell.t ? 0 : -1,
          "aria-selected": String(t === cell.t),
          class: t >= course.length ? "lt-letter lt-beyond" : "lt-letter",
          title: word("states.letter", { token, t, value: spoken(value, 3) }),
          "aria-label": word("states.letter", { token, t, value: spoken(value, 3) }),
        }, token === " " ? "␣" : token);
        letter.style.setProperty("--share", `${(share * 100).toFixed(1)}%`);
        letter.classList.toggle("lt-strong", share > 0.55);
        return letter;
      }),
    );
    if (focused) this.letters.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
    set(this.letters, { "aria-label": word("states.text") });
    this.caption.textContent = `${word(`states.text.${dependence.of}`)} · 0 … ${spoken(most, 3)}`;
    this.choices(course);
  }

  private choices({ dependence }: Course): void {
    const { word } = this;
    const label = this.choice.parentElement;
    if (!dependence?.classes?.length || !label) {
      if (label) label.hidden = true;
      return;
    }
    label.hidden = false;
    const { classes, outputs = [], chosen = 0, asked, position } = dependence;
    this.name.textContent =
      position == null ? word("states.predicted") : word("states.predictedAt", { t: position });
    const entry = (at: number) => `${classes[at]} (${spoken(outputs[at] ?? null, 3)})`;
    const best = outputs.reduce<number>((top, value, at) => {
      const now = outputs[top];
      return finite(value) && (!finite(now) || value > now) ? at : top;
    }, 0);
    if (document.activeElement === this.choice) {
      this.choice.value = asked == null ? "" : String(chosen);
      return; // an open list must not change under the pointer
    }
    this.choice.replaceChildren(
      h("option", { value: "" }, word("states.largest", { name: entry(best) })),
      ...classes.map((_, at) => h("option", { value: at }, entry(at))),
    );
    this.choice.value = asked == null ? "" : String(chosen);
  }
}
