// The doctor: a card for each finding, with the path of the gradient as a chain of boxes.
import type { RenderProps } from "@anywidget/types";
import { button, h, label, s, set } from "../shared/dom";
import { Host } from "../shared/host";
import { counted, finite, shapeText, spoken } from "../shared/numbers";
import { table } from "../shared/table";
import { timeline } from "../shared/timeline";
import type { Key } from "../shared/words";
import type { DoctorFrame, Finding, Hop, Severity } from "./contract";
import "./doctor.css";
import "../gradients/words";

const GLYPHS: Record<Severity, string> = {
  error: "M8 1 15 14.5H1zM7.2 6v4h1.6V6zm0 5v1.7h1.6V11z",
  warning: "M8 1.2 14.8 8 8 14.8 1.2 8zM7.2 4.5v4.3h1.6V4.5zm0 5.4v1.6h1.6V9.9z",
  note: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zM7.2 7v5h1.6V7zm0-3v1.8h1.6V4z",
  healthy: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zM4.4 8.2l2.5 2.5 4.8-4.9-1.1-1.1-3.7 3.8-1.4-1.4z",
};
const DECADES = [-12, 2] as const; // of the norm bars: one length means one size in every card

function render({ model, el }: RenderProps) {
  const host = new Host<DoctorFrame>(model, el);
  const { word } = host;
  const title = h("h2");
  const count = h("span", { class: "lt-quiet", role: "status" });
  const toggle = button("", null, () => {
    tabled = !tabled;
    draw(host.frame);
  });
  let tabled = false;
  const time = timeline(host);
  const list = h("div", { class: "lt-cards" });
  const tableBox = h("div", { class: "lt-scroll lt-doctor-table", tabindex: 0, hidden: true });
  const nothing = h("p", { class: "lt-nothing lt-quiet" });
  const bar = h("div", { class: "lt-bar" }, title, count, h("div", { class: "lt-group lt-push" }, toggle));
  el.classList.add("lt-doctor");
  el.replaceChildren(bar, time.element, nothing, list, tableBox);

  const chosen = new Map<string, number>(); // the node looked at, by a finding's key
  let told = "";

  function sentence(finding: Finding): string {
    return finding.says
      .map(({ key, values, more }) =>
        word(`doctor.say.${key}` as Key, {
          ...values,
          andMore: more > 0 ? word("doctor.andMore", { more }) : "",
        }),
      )
      .join(host.language === "zh" ? "" : " ");
  }

  function advice(finding: Finding): string {
    return finding.advice ? word(`doctor.advice.${finding.advice}` as Key) : "";
  }

  function where(finding: Finding): string {
    return finding.source ? word("doctor.line", { ...finding.source }) : "";
  }

  function card(finding: Finding): HTMLElement {
    const name = word(`doctor.kind.${finding.kind}` as Key);
    const severity = word(`doctor.severity.${finding.severity}`);
    const glyph = s("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" });
    glyph.append(s("path", { d: GLYPHS[finding.severity], "fill-rule": "evenodd" }));
    return h(
      "article",
      { class: "lt-card", "data-severity": finding.severity, "data-kind": finding.kind },
      h(
        "header",
        {},
        glyph,
        h("h3", {}, name),
        name === severity || finding.severity === "healthy"
          ? null
          : h("span", { class: "lt-severity" }, severity),
      ),
      h("p", { class: "lt-sentence" }, sentence(finding)),
      finding.source?.text
        ? h(
            "p",
            { class: "lt-where" },
            h("span", { class: "lt-quiet" }, word("doctor.code")),
            h("code", {}, where(finding)),
          )
        : null,
      advice(finding)
        ? h("p", { class: "lt-advice" }, h("b", {}, word("doctor.help")), " ", advice(finding))
        : null,
      finding.path.length > 1 ? chain(finding) : null,
      finding.parameters.length > 1
        ? h(
            "p",
            { class: "lt-quiet lt-concerned" },
            `${word("doctor.concerned")}: ${finding.parameters.join(", ")}`,
          )
        : null,
    );
  }

  /** The path: a box an op, as high a bar as its gradient, the factor on the way to the next. */
  function chain(finding: Finding): HTMLElement {
    const to = finding.path.at(-1)?.name ?? "";
    const numbers = h("p", { class: "lt-hop-numbers", role: "status" });
    const boxes = finding.path.map((hop, i) => {
      const first = i === 0;
      const box = h(
        "button",
        {
          type: "button",
          class: "lt-hop",
          "data-node": hop.node,
          "data-worst": hop.node === finding.worst,
          tabindex: -1,
          "aria-label": said(hop) + (hop.node === finding.worst ? `, ${word("doctor.worst")}` : ""),
        },
        h("span", { class: "lt-hop-name" }, hop.name),
        h("span", { class: "lt-hop-place" }, hop.place || (first ? word("doctor.loss") : " ")),
        normBar(hop),
      );
      box.addEventListener("click", () => choose(i, false));
      return box;
    });
    const items = finding.path.map((hop, i) =>
      h(
        "li",
        {},
        boxes[i],
        i < finding.path.length - 1
          ? h(
              "span",
              { class: "lt-factor", "data-size": tone(hop), "aria-hidden": "true" },
              h("i", {}, "→"),
              hop.factor === null ? "" : `× ${spoken(hop.factor, 2)}`,
            )
          : null,
      ),
    );
    const row = h(
      "ol",
      { class: "lt-chain", "aria-label": word("doctor.path", { parameter: to }) },
      ...items,
    );
    const choose = (at: number, focus = true) => {
      boxes.forEach((box, i) => set(box, { tabindex: i === at ? 0 : -1, "aria-pressed": String(i === at) }));
      const hop = finding.path[at];
      if (!hop) return;
      chosen.set(finding.key, hop.node);
      numbers.textContent = [
        said(hop),
        hop.place && `${word("doctor.module")} ${hop.place}`,
        shapeText(hop.shape),
      ].filter(Boolean).join(" · ");
      if (focus) boxes[at]?.focus();
    };
    row.addEventListener("keydown", (event) => {
      const at = boxes.findIndex((box) => box === document.activeElement);
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: boxes.length - 1 }[event.key];
      if (to === undefined || at < 0) return;
      event.preventDefault();
      choose(Math.max(0, Math.min(boxes.length - 1, to)));
    });
    const before = finding.path.findIndex((hop) => hop.node === chosen.get(finding.key));
    const worst = finding.path.findIndex((hop) => hop.node === finding.worst);
    choose(before >= 0 ? before : Math.max(0, worst), false);
    return h(
      "section",
      { class: "lt-path" },
      h("h4", {}, word("doctor.path", { parameter: to })),
      row,
      numbers,
    );
  }

  function said(hop: Hop): string {
    const values = { op: hop.name, norm: spoken(hop.norm), factor: spoken(hop.factor) };
    if (hop.norm === null && hop.factor === null) return `${hop.name}: ${word("doctor.cut")}`;
    return word(hop.factor === null ? "doctor.hop.end" : "doctor.hop", values);
  }

  function normBar(hop: Hop): SVGElement {
    const [low, high] = DECADES;
    const share = finite(hop.norm) && hop.norm > 0 ? (Math.log10(hop.norm) - low) / (high - low) : 0;
    const width = Math.max(0, Math.min(1, share)) * 60;
    const odd = hop.norm !== null && !finite(hop.norm);
    return s(
      "svg",
      { class: "lt-hop-bar", viewBox: "0 0 60 6", "data-odd": odd, "aria-hidden": "true" },
      s("rect", { class: "lt-track", width: 60, height: 6, rx: 2 }),
      s("rect", { class: "lt-fill", width: odd ? 60 : width, height: 6, rx: 2 }),
    );
  }

  function tone({ factor }: Hop): string {
    if (factor === null) return "none";
    if (!finite(factor)) return "large";
    return factor < 0.5 ? "small" : factor > 2 ? "large" : "even";
  }

  function draw(frame: DoctorFrame): void {
    time.draw(frame.time);
    const { findings } = frame;
    set(toggle, { "aria-pressed": String(tabled) });
    nothing.hidden = findings.length > 0;
    list.hidden = tabled || !findings.length;
    tableBox.hidden = !tabled || !findings.length;
    const sick = findings.filter((finding) => finding.severity !== "healthy").length;
    count.textContent =
      sick === 1 ? word("doctor.one") : sick ? word("doctor.count", { count: counted(sick) }) : "";
    el.dataset.kinds = findings.map((finding) => finding.kind).join(" ");
    // A diagnosis that did not change stays as it is, with what has been chosen in it.
    const tells = JSON.stringify([findings, host.language, tabled]);
    if (tells === told) return;
    told = tells;
    const held = el.ownerDocument.activeElement;
    const focused = held instanceof HTMLElement && list.contains(held) ? held.dataset.node : undefined;
    list.replaceChildren(...findings.map(card));
    if (focused !== undefined)
      list.querySelector<HTMLElement>(`.lt-hop[data-node="${Number(focused)}"]`)?.focus();
    const heads = ["finding", "severity", "where", "says", "helps"] as const;
    tableBox.replaceChildren(
      table(
        word("doctor.title"),
        heads.map((head) => word(`doctor.table.${head}`)),
        findings.map((finding) => [
          word(`doctor.kind.${finding.kind}` as Key),
          word(`doctor.severity.${finding.severity}`),
          where(finding),
          sentence(finding),
          advice(finding),
        ]),
        5,
      ),
      ...findings
        .filter((finding) => finding.path.length > 1)
        .map((finding) =>
          table(
            word("doctor.path", { parameter: finding.path.at(-1)?.name ?? "" }),
            [word("doctor.table.op"), word("doctor.module"), word("doctor.table.norm"), word("doctor.table.factor")],
            finding.path.map((hop) => [hop.name, hop.place, spoken(hop.norm), spoken(hop.factor)]),
            2,
          ),
        ),
    );
  }

  function speak(): void {
    title.textContent = word("doctor.title");
    nothing.textContent = word("doctor.nothing");
    label(toggle, word("table.show"));
    set(tableBox, { role: "region", "aria-label": word("doctor.title") });
  }

  speak();
  draw(host.frame);
  host.frames(draw);
  host.on("language", () => {
    speak();
    draw(host.frame);
  });
  return host.end;
}

export default { render };
