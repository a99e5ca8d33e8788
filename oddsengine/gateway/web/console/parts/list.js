// A list of any length as an ARIA grid, of which only the visible rows exist. Selected with the arrow keys, opened with Enter.

import { element, setText } from "../../dom.js";
import { Rows } from "./rows.js";

// Rows above and below the visible ones, so that scrolling does not show gaps.
const MARGIN_ROWS = 4;
let lists = 0;

/**
 * @typedef {object} Column
 * @property {string} name its heading
 * @property {string} key the class of its cells
 */

export class List {
  #rows = new Map();
  #frame = 0;
  #prefix = `list${lists++}`;

  /**
   * @param {{label: string, kind: string, columns: Column[], rowHeight?: number,
   *   render: (cells: Record<string, HTMLElement>, item: object, row: HTMLElement) => void,
   *   open?: (item: object) => void, selected?: (item: object | undefined) => void}} options
   *   `render` writes an item into the cells of a row; items have a unique `key`, and `heading` if they head those below
   */
  constructor(options) {
    this.options = options;
    this.places = new Rows(options.rowHeight ?? 36);
    this.items = [];
    this.selectedKey = undefined;
    this.body = element("div", { class: "list-body", role: "rowgroup" });
    this.head = element("div", { class: "list-head", role: "rowgroup" }, element("div", { class: "row", role: "row" },
      ...options.columns.map(({ name, key }) => element("span", { class: `cell ${key}`, role: "columnheader", text: name }))));
    this.root = element("div", { class: `list ${options.kind}`, role: "grid", tabindex: "0", "aria-label": options.label }, this.head, this.body);
    this.root.addEventListener("scroll", () => this.#schedule(), { passive: true });
    this.root.addEventListener("keydown", (event) => { if (this.key(event)) event.preventDefault(); });
    this.root.addEventListener("click", (event) => this.#click(event));
    this.root.addEventListener("dblclick", (event) => { if (event.target.closest("[data-key]")) this.#open(); });
    new ResizeObserver(() => this.#resize()).observe(this.root);
  }

  get selected() {
    return this.items[this.#index(this.selectedKey)];
  }

  /** Replace the items. The selected one stays selected; if it is gone, the one in its place is. */
  setItems(items) {
    const before = this.#index(this.selectedKey);
    this.items = items;
    this.positions = new Map(items.map((item, index) => [item.key, index]));
    this.places.setKeys(items.map((item) => item.key));
    this.body.style.height = `${this.places.totalHeight}px`;
    this.root.setAttribute("aria-rowcount", String(items.length + 1));
    if (this.#index(this.selectedKey) < 0) {
      const next = this.#nextItem(Math.min(Math.max(before, 0), items.length - 1), 1) ?? this.#nextItem(items.length - 1, -1);
      this.#choose(next?.key);
    }
    this.draw();
  }

  /** Draw the visible rows: those of some keys again, or all. */
  draw(keys) {
    const top = Math.max(0, this.root.scrollTop);
    const first = Math.max(0, this.places.at(top) - MARGIN_ROWS);
    const last = Math.min(this.items.length, this.places.at(top + this.root.clientHeight) + 1 + MARGIN_ROWS);
    const wanted = new Set();
    for (let index = first; index < last; index++) wanted.add(this.items[index].key);
    for (const [key, row] of this.#rows) {
      if (wanted.has(key)) continue;
      row.node.remove();
      this.#rows.delete(key);
    }
    for (let index = first; index < last; index++) this.#drawRow(index, keys);
    if (this.places.wraps && this.root.clientWidth) this.#measure(this.places.at(top));
    const active = this.#rows.get(this.selectedKey)?.node.id;
    if (active) this.root.setAttribute("aria-activedescendant", active);
    else this.root.removeAttribute("aria-activedescendant");
  }

  select(key) {
    this.#choose(key);
    this.#reveal();
    this.draw(new Set());
    // How high the rows around it are is known now.
    if (this.places.wraps) this.#reveal();
  }

  /** Handle a key. Return whether it was one of the list's. */
  key(event) {
    const { scrollTop, clientHeight } = this.root;
    const page = Math.max(1, this.places.at(scrollTop + clientHeight) - this.places.at(scrollTop) - 2);
    const at = this.#index(this.selectedKey);
    switch (event.key) {
      case "ArrowDown": return this.#move(at + 1, 1);
      case "ArrowUp": return this.#move(at < 0 ? this.items.length - 1 : at - 1, -1);
      case "PageDown": return this.#move(Math.min(at + page, this.items.length - 1), 1) || this.#move(this.items.length - 1, -1);
      case "PageUp": return this.#move(Math.max(at - page, 0), -1) || this.#move(0, 1);
      case "Home": return this.#move(0, 1);
      case "End": return this.#move(this.items.length - 1, -1);
      case "Enter": return this.#open();
      default: return false;
    }
  }

  #index(key) {
    return this.positions?.get(key) ?? -1;
  }

  #nextItem(from, step) {
    let index = from;
    while (this.items[index]?.heading) index += step;
    return this.items[index];
  }

  #move(from, step) {
    const item = this.#nextItem(from, step);
    if (!item) return true;
    this.select(item.key);
    return true;
  }

  #open() {
    if (!this.selected || !this.options.open) return false;
    this.options.open(this.selected);
    return true;
  }

  #choose(key) {
    if (key === this.selectedKey) return;
    this.selectedKey = key;
    this.options.selected?.(this.selected);
  }

  #click(event) {
    const row = event.target.closest("[data-key]");
    if (!row) return;
    this.#choose(row.dataset.key);
    this.draw(new Set());
  }

  #reveal() {
    const at = this.#index(this.selectedKey);
    if (at < 0) return;
    const headHeight = this.head.offsetHeight;
    const top = this.places.topOf(at);
    const bottom = top + this.places.heightOf(at);
    const visible = this.root.clientHeight - headHeight;
    if (top < this.root.scrollTop) this.root.scrollTop = at <= 1 ? 0 : top;
    else if (bottom > this.root.scrollTop + visible) this.root.scrollTop = bottom - visible;
  }

  /** Draw in another size, in which text may wrap otherwise: the style sheet says whether it may at all. */
  #resize() {
    if (!this.root.clientWidth) return; // it is hidden
    const wraps = getComputedStyle(this.root).getPropertyValue("--wraps").trim() === "1";
    const { clientWidth } = this.root;
    if (wraps !== this.places.wraps || (wraps && clientWidth !== this.width)) {
      this.width = clientWidth;
      this.places.setWraps(wraps);
      for (const { node } of this.#rows.values()) node.style.height = this.#heightStyle;
      this.body.style.height = `${this.places.totalHeight}px`;
    }
    this.#schedule();
  }

  get #heightStyle() {
    return this.places.wraps ? "" : `${this.places.rowHeight}px`;
  }

  /** Move rows to where they are by how high those above turned out to be. The first visible one stays where it is seen. */
  #measure(first) {
    const before = this.places.topOf(first);
    if (!this.places.note([...this.#rows].map(([key, { node }]) => [key, node.offsetHeight]))) return;
    for (const [key, row] of this.#rows) this.#moveTo(row, this.#index(key));
    this.body.style.height = `${this.places.totalHeight}px`;
    const moved = this.places.topOf(first) - before;
    if (moved && this.root.scrollTop > 0) this.root.scrollTop += moved;
    this.#schedule();
  }

  #moveTo(row, index) {
    const top = this.places.topOf(index);
    if (row.top === top) return;
    row.top = top;
    row.node.style.transform = `translateY(${top}px)`;
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.draw(new Set());
    });
  }

  #drawRow(index, keys) {
    const item = this.items[index];
    let row = this.#rows.get(item.key);
    const isNew = !row;
    if (isNew) {
      row = this.#newRow(item);
      this.#rows.set(item.key, row);
      this.body.append(row.node);
    }
    this.#moveTo(row, index);
    if (row.index !== index) {
      row.index = index;
      row.node.setAttribute("aria-rowindex", String(index + 2));
    }
    if (!item.heading) {
      const isSelected = String(item.key === this.selectedKey);
      if (row.node.getAttribute("aria-selected") !== isSelected) row.node.setAttribute("aria-selected", isSelected);
    }
    if (!isNew && keys && !keys.has(item.key)) return;
    if (item.heading) setText(row.cells.heading, item.heading);
    else this.options.render(row.cells, item, row.node);
  }

  #newRow(item) {
    const columns = item.heading ? [{ key: "heading" }] : this.options.columns;
    const cells = Object.fromEntries(columns.map(({ key }) => [key, element("span", { class: `cell ${key}`, role: "gridcell" })]));
    if (item.heading) cells.heading.setAttribute("aria-colspan", String(this.options.columns.length));
    const node = element("div", { class: item.heading ? "row heading" : "row", role: "row", id: `${this.#prefix}-${this.#idOf(item.key)}` }, ...Object.values(cells));
    node.style.height = this.#heightStyle;
    if (!item.heading) node.dataset.key = item.key;
    return { node, cells };
  }

  /** An id must have no spaces. */
  #idOf(key) {
    return encodeURIComponent(key);
  }
}
