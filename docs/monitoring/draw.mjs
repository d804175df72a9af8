// Draws what the panels of grafana.json show, asked from a Prometheus:
// `node draw.mjs http://127.0.0.1:9090 MINUTES > dashboard.svg`. It is no Grafana: the same
// expressions and places, but its own lines.

import { readFile } from "node:fs/promises";

const [prometheus, minutes = "5"] = process.argv.slice(2);
const dashboard = JSON.parse(await readFile(new URL("grafana.json", import.meta.url)));
const end = Date.now() / 1000;
const start = end - 60 * Number(minutes);
const step = (end - start) / 150;

const COLUMN = 50;
const LINE = 26;
const COLOURS = ["#3274d9", "#e0752d", "#299c46", "#a352cc", "#c4162a", "#c9a400", "#0a9fb5", "#7c7c7c"];
const escape = (text) => String(text).replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

/** The samples of an expression: a name and points for each time series. */
async function series({ expr, legendFormat }) {
  const query = expr.replaceAll("$__rate_interval", "15s").replaceAll("$job", ".+").replaceAll("$instance", ".+");
  const url = `${prometheus}/api/v1/query_range?${new URLSearchParams({ query, start, end, step })}`;
  const answer = await (await fetch(url)).json();
  if (answer.status !== "success") throw new Error(`${expr}: ${answer.error}`);
  const name = (labels) => legendFormat.replace(/{{(\w+)}}/g, (_, label) => labels[label] ?? "");
  return answer.data.result.map(({ metric, values }) => ({
    name: name(metric),
    points: values.map(([time, value]) => [time, Number(value)]).filter(([, value]) => Number.isFinite(value)),
  }));
}

function shown(number, unit) {
  if (unit === "percentunit") return `${(100 * number).toFixed(number < 0.1 ? 1 : 0)} %`;
  if (unit === "s") return number < 0.001 ? `${Math.round(1e6 * number)} µs` : `${(1000 * number).toFixed(1)} ms`;
  const steps = unit.startsWith("b") || unit === "Bps" ? ["", " KiB", " MiB", " GiB"] : ["", " k", " M", " G"];
  const base = steps[1] === " KiB" ? 1024 : 1000;
  let place = 0;
  while (Math.abs(number) >= base && place < 3) { number /= base; place += 1; }
  const digits = Number.isInteger(number) || number >= 100 ? 0 : number >= 10 ? 1 : 2;
  const per = unit === "cps" || unit === "Bps" ? "/s" : "";
  return `${number.toFixed(digits)}${steps[place]}${per}`;
}

function stat(panel, all, width, height) {
  const last = all[0]?.points.at(-1)?.[1];
  const text = last === undefined ? "no data" : shown(last, panel.fieldConfig.defaults.unit);
  return `<text x="${width / 2}" y="${height / 2 + 22}" font-size="30" text-anchor="middle" fill="#3274d9">${escape(text)}</text>`;
}

function lines(panel, all, width, height) {
  const { unit } = panel.fieldConfig.defaults;
  const [left, top, right, bottom] = [62, 34, width - 10, height - 38];
  const most = 1.05 * Math.max(...all.flatMap(({ points }) => points.map(([, value]) => value)), Number.MIN_VALUE);
  const x = (time) => (left + ((time - start) / (end - start)) * (right - left)).toFixed(1);
  const y = (value) => (bottom - (value / most) * (bottom - top)).toFixed(1);
  const scale = [0, 0.5, 1].map((part) => `<path d="M${left} ${y(part * most)}H${right}" stroke="#ddd"/>
<text x="${left - 5}" y="${Number(y(part * most)) + 4}" text-anchor="end" fill="#666">${escape(shown(part * most, unit))}</text>`);
  const drawn = all.map(({ points }, index) => {
    const gap = 3 * step;
    const path = points.map(([time, value], at) => `${at && time - points[at - 1][0] < gap ? "L" : "M"}${x(time)} ${y(value)}`);
    return `<path d="${path.join("")}" fill="none" stroke="${COLOURS[index % COLOURS.length]}" stroke-width="1.3"/>`;
  });
  let at = 8;
  const names = all.map(({ name }, index) => {
    const place = at;
    at += 20 + 6.2 * name.length;
    if (at > width) return "";
    return `<rect x="${place}" y="${height - 16}" width="10" height="3" fill="${COLOURS[index % COLOURS.length]}"/>
<text x="${place + 13}" y="${height - 11}" fill="#444">${escape(name)}</text>`;
  });
  const none = all.length === 0 ? `<text x="${width / 2}" y="${height / 2}" text-anchor="middle" fill="#666">nothing</text>` : "";
  return [...scale, ...drawn, ...names, none].join("\n");
}

async function draw(panel) {
  const { x, y, w, h } = panel.gridPos;
  const [width, height] = [w * COLUMN - 8, h * LINE - 8];
  const place = `<g transform="translate(${x * COLUMN + 4} ${y * LINE + 4})">`;
  const title = `<text x="8" y="19" font-size="13" font-weight="600" fill="#222">${escape(panel.title)}</text>`;
  if (panel.type === "row") return `${place}${title}</g>`;
  const all = (await Promise.all(panel.targets.map(series))).flat();
  const content = panel.type === "stat" ? stat(panel, all, width, height) : lines(panel, all, width, height);
  return `${place}<rect width="${width}" height="${height}" rx="3" fill="#fff" stroke="#ccc"/>${title}\n${content}</g>`;
}

const panels = await Promise.all(dashboard.panels.map(draw));
const height = LINE * Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h)) + 8;
console.log(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${24 * COLUMN} ${height}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#f4f5f5"/>
${panels.join("\n")}
</svg>`);
