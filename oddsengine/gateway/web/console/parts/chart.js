// A chart of published prices and fair odds over time, as SVG: steps, since a price holds until the next one. Odds are on a
// logarithmic scale, on which a move of a favourite is as high as one of an outsider.

import { clockText, dayText, minuteText } from "./ages.js";

const SPACE = "http://www.w3.org/2000/svg";
const HEIGHT = 240;
const LEFT = 46;
const RIGHT = 10;
const BOTTOM = 24;
const TOP = 10;
const MIN_SPAN_MS = 20_000;
const HOUR_S = 3600;
const DAY_S = 24 * HOUR_S;
const TIME_STEPS_S = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, ...[1, 2, 4, 6, 12].map((hours) => hours * HOUR_S), ...[1, 2, 7, 14, 30].map((days) => days * DAY_S)];
// About how far apart the lines of the grid are.
const TIME_STEP_PX = 110;
const ODDS_STEP_PX = 45;

const svg = (tag, attributes, text) => {
  const node = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
};

/**
 * Draw series into an SVG element, replacing what it shows: those of a time up to now, or since they began.
 * @param {SVGElement} root
 * @param {{index: number, price: {times: number[], values: (number|null)[]}, fair: object}[]} lines
 * @param {number} nowMs
 * @param {number} spanMs how long that time is
 * @param {number} width how wide it is on the page, pixels
 * @param {number} [markedMs] a time to mark
 */
export function drawChart(root, lines, nowMs, spanMs, width, markedMs) {
  const shown = lines.flatMap((line) => [
    { series: line.price, className: `line line${line.index}` }, { series: line.fair, className: `line fair line${line.index}` },
  ]).filter(({ series }) => series.times.length);
  const began = Math.min(nowMs - MIN_SPAN_MS, ...shown.map(({ series }) => series.times[0]));
  const from = Math.max(nowMs - spanMs, began);
  const cut = shown.map(({ series, className }) => ({ series: since(series, from), className }));
  const values = cut.flatMap(({ series }) => series.values.filter((value) => value !== null));
  root.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  if (!values.length) {
    root.replaceChildren(svg("text", { x: width / 2, y: HEIGHT / 2, "text-anchor": "middle" }, "No price yet"));
    return;
  }
  const span = nowMs - from;
  let low = Math.log(Math.min(...values));
  let high = Math.log(Math.max(...values));
  const pad = Math.max((high - low) * 0.1, 0.02);
  low -= pad;
  high += pad;
  const x = (ms) => LEFT + ((ms - from) / span) * (width - LEFT - RIGHT);
  const y = (value) => TOP + ((high - Math.log(value)) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const nodes = [];
  for (const value of oddsTicks(Math.exp(low), Math.exp(high), (HEIGHT - TOP - BOTTOM) / ODDS_STEP_PX)) {
    nodes.push(svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }));
    nodes.push(svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, value >= 100 ? value.toFixed(0) : value.toFixed(2)));
  }
  for (const at of timeTicks(from, nowMs, (width - LEFT - RIGHT) / TIME_STEP_PX)) {
    nodes.push(svg("line", { class: "grid", x1: x(at), x2: x(at), y1: TOP, y2: HEIGHT - BOTTOM }));
    // The first and the last would leave the picture.
    const anchor = x(at) < LEFT + 24 ? "start" : x(at) > width - RIGHT - 24 ? "end" : "middle";
    nodes.push(svg("text", { x: x(at), y: HEIGHT - 7, "text-anchor": anchor }, timeText(at, span)));
  }
  for (const { series, className } of cut) nodes.push(svg("path", { class: className, d: path(series, x, y, nowMs) }));
  if (markedMs >= from) nodes.push(svg("line", { class: "mark", x1: x(markedMs), x2: x(markedMs), y1: TOP, y2: HEIGHT - BOTTOM }));
  root.replaceChildren(...nodes);
}

/** The part of a series after a time, with the value that it had then. */
function since({ times, values }, from) {
  const first = Math.max(0, times.findLastIndex((at) => at <= from));
  return { times: times.slice(first).map((at) => Math.max(at, from)), values: values.slice(first) };
}

/** Round odds between two, about so many. */
function oddsTicks(low, high, count) {
  const ticks = [];
  const factor = (high / low) ** (1 / Math.max(1, count));
  for (let at = low * Math.sqrt(factor); at < high; at *= factor) {
    const step = 10 ** Math.floor(Math.log10(at * (factor - 1)));
    const rounded = Math.round(at / Math.max(step, 0.01)) * Math.max(step, 0.01);
    if (rounded > low && rounded < high && rounded !== ticks.at(-1)) ticks.push(rounded);
  }
  return ticks;
}

/** Round times of this clock between two, about so many. */
function timeTicks(from, to, count) {
  const stepMs = 1000 * (TIME_STEPS_S.find((each) => (to - from) / 1000 / each <= count) ?? TIME_STEPS_S.at(-1));
  const offsetMs = new Date(to).getTimezoneOffset() * 60_000;
  const ticks = [];
  for (let at = Math.ceil((from - offsetMs) / stepMs) * stepMs + offsetMs; at <= to; at += stepMs) ticks.push(at);
  return ticks;
}

function timeText(at, spanMs) {
  // Where steps are of days, one that is not at midnight is so because clocks were changed.
  if (spanMs > 7 * DAY_S * 1000 || (spanMs > DAY_S * 1000 && !new Date(at).getHours())) return dayText(at);
  return at % 60_000 ? clockText(at) : minuteText(at);
}

function path({ times, values }, x, y, nowMs) {
  const parts = [];
  for (let index = 0; index < times.length; index++) {
    const value = values[index];
    if (value === null) continue;
    const isStart = index === 0 || values[index - 1] === null;
    parts.push(`${isStart ? "M" : "L"}${x(times[index]).toFixed(1)} ${y(value).toFixed(1)}`);
    parts.push(`H${x(times[index + 1] ?? nowMs).toFixed(1)}`);
  }
  return parts.join("");
}
