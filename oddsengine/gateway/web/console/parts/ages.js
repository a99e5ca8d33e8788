// Times that tell how long ago something was; they go on without being drawn again.

import { element, setText } from "../../dom.js";

// Made once: to make one takes longer than to draw a row.
const OF_DAY = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const TO_SECOND = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const OF_YEAR = new Intl.DateTimeFormat([], { day: "numeric", month: "short" });
const OF_WEEK = new Intl.DateTimeFormat([], { weekday: "short", day: "numeric" });

export function ageText(ms) {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

/** Return a node that shows the age of a time, Unix milliseconds. */
export function age(ms, nowMs) {
  if (ms == null) return element("span", { text: "–" });
  return element("span", { class: "age", "data-at": String(ms), text: ageText(nowMs - ms) });
}

export function drawAges(root, nowMs) {
  for (const node of root.querySelectorAll(".age")) setText(node, ageText(nowMs - Number(node.dataset.at)));
}

/** When an event starts, with the day if that is not today. */
export function startText(start) {
  if (!start) return "";
  const at = new Date(start);
  return at.toDateString() === new Date().toDateString() ? minuteText(at) : `${OF_WEEK.format(at)} ${minuteText(at)}`;
}

export const minuteText = (time) => OF_DAY.format(new Date(time));

export const dayText = (time) => OF_YEAR.format(new Date(time));

export const clockText = (time) => (time == null ? "" : TO_SECOND.format(new Date(time)));
