// A chart of published prices and fair odds over time, as SVG: steps, since a price holds until the next one. Odds are on a
// logarithmic scale, on which a move of a favourite is as high as one of an outsider.

const SPACE = "http://www.w3.org/2000/svg";
const WIDTH = 720;
const HEIGHT = 240;
const LEFT = 44;
const BOTTOM = 22;
const TOP = 8;
const LINES = 4;
const MIN_SPAN_MS = 10_000;

const svg = (tag, attributes, text) => {
  const node = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
};

/**
 * Draw series into an SVG element, replacing what it shows.
 * @param {SVGElement} root
 * @param {{index: number, price: {times: number[], values: (number|null)[]}, fair: object}[]} lines
 * @param {number} nowMs
 */
export function drawChart(root, lines, nowMs) {
  const shown = lines.flatMap((line) => [
    { series: line.price, className: `line line${line.index}` }, { series: line.fair, className: `line fair line${line.index}` },
  ]).filter(({ series }) => series.times.length);
  const values = shown.flatMap(({ series }) => series.values.filter((value) => value !== null));
  root.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  if (!values.length) {
    root.replaceChildren(svg("text", { x: WIDTH / 2, y: HEIGHT / 2, "text-anchor": "middle" }, "No price yet"));
    return;
  }
  const from = Math.min(nowMs - MIN_SPAN_MS, ...shown.map(({ series }) => series.times[0]));
  const span = nowMs - from;
  let low = Math.log(Math.min(...values));
  let high = Math.log(Math.max(...values));
  const pad = Math.max((high - low) * 0.08, 0.005);
  low -= pad;
  high += pad;
  const x = (ms) => LEFT + ((ms - from) / span) * (WIDTH - LEFT - 4);
  const y = (value) => TOP + ((high - Math.log(value)) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const nodes = [];
  for (let index = 0; index <= LINES; index++) {
    const value = Math.exp(low + ((high - low) * index) / LINES);
    nodes.push(svg("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y(value), y2: y(value) }));
    nodes.push(svg("text", { x: LEFT - 5, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(2)));
  }
  for (let index = 0; index <= LINES; index++) {
    const at = from + (span * index) / LINES;
    const anchor = index === LINES ? "end" : index ? "middle" : "start";
    nodes.push(svg("text", { x: x(at), y: HEIGHT - 5, "text-anchor": anchor }, new Date(at).toLocaleTimeString([], { hourCycle: "h23" })));
  }
  for (const { series, className } of shown) nodes.push(svg("path", { class: className, d: path(series, x, y, nowMs) }));
  root.replaceChildren(...nodes);
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
