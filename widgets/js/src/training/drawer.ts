// The drawer of parameters: their numbers now, each of which can be clicked and typed anew.
import { button, h, label, set } from "../shared/dom";
import type { Host } from "../shared/host";
import { counted, shapeText, spoken, type Num } from "../shared/numbers";
import { signed } from "../shared/colour";
import { flagText } from "./chart";
import type { Parameters, TrainingFrame } from "./contract";

export function parameterDrawer(host: Host<TrainingFrame>) {
  const { word } = host;
  const choice = h("select", { class: "lt-select" });
  const windows = h("div", { class: "lt-group" });
  const undo = button("", null, () => host.send("undo"));
  const grid = h("table", { class: "lt-numbers" });
  const scroll = h("div", { class: "lt-scroll lt-numbers-box" }, grid);
  const help = h("p", { class: "lt-quiet lt-help" });
  const refusal = h("p", { class: "lt-objection", role: "alert" });
  const list = h("ul", { class: "lt-edits" });
  const bar = h("div", { class: "lt-group lt-drawer-bar" }, choice, windows, undo, help);
  const element = h("div", { class: "lt-drawer", role: "group" }, bar, refusal, scroll, list);

  choice.addEventListener("change", () => host.send("choose", { name: choice.value }));
  let active: [number, number] = [0, 0];
  let structure = "";
  let given: Parameters | null = null;

  const shapeOf = (now: Parameters) => now.names.find((each) => each.name === now.chosen)?.shape ?? [];

  function indexOf(row: number, column: number): number[] {
    if (!given) return [];
    const rank = shapeOf(given).length;
    return [...given.lead, given.row + row, given.column + column].slice(-rank || Infinity);
  }

  function cellAt(row: number, column: number): HTMLElement | null {
    return grid.rows[row]?.cells[column]?.querySelector("button,input") ?? null;
  }

  function rove(row: number, column: number): void {
    const rows = grid.rows.length;
    const columns = grid.rows[0]?.cells.length ?? 0;
    cellAt(...active)?.setAttribute("tabindex", "-1");
    active = [Math.max(0, Math.min(rows - 1, row)), Math.max(0, Math.min(columns - 1, column))];
    const cell = cellAt(...active);
    cell?.setAttribute("tabindex", "0");
    cell?.focus();
  }

  grid.addEventListener("keydown", (event) => {
    if (!(event.target instanceof HTMLButtonElement)) return;
    const moves: Record<string, [number, number]> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    rove(active[0] + move[0], active[1] + move[1]);
  });

  function open(row: number, column: number, cell: HTMLTableCellElement): void {
    const name = given?.chosen ?? "";
    const index = indexOf(row, column);
    const value = given?.values?.[row]?.[column];
    active = [row, column];
    const box = h("input", {
      type: "text",
      class: "lt-typed",
      inputmode: "decimal",
      spellcheck: "false",
      "aria-label": word("edit.new", { name, index: `[${index.join(", ")}]` }),
    });
    box.value = value === null || value === undefined ? "" : String(value);
    let closed = false;
    const close = (back: boolean) => {
      if (closed) return;
      closed = true;
      structure = "";
      draw(host.frame);
      if (back) cellAt(row, column)?.focus();
    };
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        host.send("edit", { index, value: box.value });
        close(true);
      } else if (event.key === "Escape") close(true);
    });
    box.addEventListener("blur", () => close(false));
    cell.replaceChildren(box);
    box.focus();
    box.select();
  }

  function stepper(name: string, value: number, most: number, act: (to: number) => void) {
    const box = h("input", { type: "number", class: "lt-box lt-stepper", min: 0, max: most, "aria-label": name });
    box.value = String(value);
    box.addEventListener("change", () => act(Math.max(0, Math.min(most, Number(box.value) || 0))));
    return h("label", { class: "lt-quiet" }, `${name} `, box);
  }

  function drawWindows(now: Parameters): void {
    const shape = shapeOf(now);
    const [height, width] = [shape.at(-2) ?? 1, shape.at(-1) ?? 1];
    const go = (change: Partial<Pick<Parameters, "lead" | "row" | "column">>) => {
      const to = { lead: now.lead, row: now.row, column: now.column, ...change };
      host.send("window", { lead: to.lead, row: to.row, column: to.column });
    };
    windows.replaceChildren(
      ...now.lead.map((at, axis) =>
        stepper(word("edit.axis", { axis }), at, (shape[axis] ?? 1) - 1, (to) =>
          go({ lead: now.lead.map((each, i) => (i === axis ? to : each)) }),
        ),
      ),
      ...(height > 32 ? [stepper(word("edit.row"), now.row, height - 32, (row) => go({ row }))] : []),
      ...(width > 32 ? [stepper(word("edit.column"), now.column, width - 32, (column) => go({ column }))] : []),
    );
  }

  function drawChoice(now: Parameters): void {
    choice.replaceChildren(
      ...now.names.map(({ name, shape }) => {
        const option = h("option", { value: name }, `${name}  ${shapeText(shape)}`);
        option.selected = name === now.chosen;
        return option;
      }),
    );
  }

  function draw(frame: TrainingFrame): void {
    const now = (given = frame.parameters);
    element.hidden = !now;
    if (!now) {
      structure = "";
      return;
    }
    set(element, { "aria-label": word("edit.title") });
    set(choice, { "aria-label": word("edit.choose") });
    label(undo, word("edit.undo"));
    undo.disabled = !now.undo;
    refusal.textContent = now.refused ?? "";
    const empty = now.names.length === 0;
    for (const part of [choice, undo, scroll]) part.hidden = empty;
    help.textContent = empty
      ? word("edit.none")
      : now.awaited
        ? word("edit.awaited")
        : !now.live
          ? now.values
            ? word("edit.rewound", { step: counted(frame.time.step ?? 0) })
            : word("edit.rewoundNone")
          : now.values
            ? word("edit.help")
            : word("edit.reading");
    list.replaceChildren(...frame.edits.slice(-6).reverse().map((edit) => h("li", {}, flagText(word, edit))));
    const key = JSON.stringify([now.names, now.chosen, now.lead, now.row, now.column, now.live, host.language,
      now.values?.length, now.values?.[0]?.length]);
    if (key !== structure) {
      structure = key;
      drawChoice(now);
      drawWindows(now);
      build(now);
    }
    fill(now);
  }

  function build(now: Parameters): void {
    const [row, column] = active;
    grid.replaceChildren(
      ...(now.values ?? []).map((line, i) =>
        h(
          "tr",
          {},
          ...line.map((_, j) => {
            const cell = h("td");
            const at = i === row && j === column ? 0 : -1;
            const number = h("button", { type: "button", class: "lt-number", tabindex: at });
            number.disabled = !now.live;
            number.addEventListener("click", () => open(i, j, cell));
            cell.append(number);
            return cell;
          }),
        ),
      ),
    );
    if (!cellAt(row, column)) {
      active = [0, 0];
      cellAt(0, 0)?.setAttribute("tabindex", "0");
    }
  }

  function fill(now: Parameters): void {
    const sizes = (now.values ?? []).flat().map((value) => (typeof value === "number" ? Math.abs(value) : 0));
    const limit = sizes.reduce((a, b) => Math.max(a, b), 0);
    (now.values ?? []).forEach((line, i) =>
      line.forEach((value, j) => {
        const number = cellAt(i, j);
        if (!(number instanceof HTMLButtonElement)) return;
        number.textContent = spoken(value as Num | null, 3);
        number.style.background = typeof value === "number" ? signed(value, limit, 0.5) : "";
        set(number, {
          "aria-label": word("edit.cell", {
            name: now.chosen ?? "",
            index: `[${indexOf(i, j).join(", ")}]`,
            value: spoken(value as Num | null, 4),
          }),
        });
      }),
    );
  }

  return { element, draw };
}
