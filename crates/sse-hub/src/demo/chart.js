// A small chart over time: a line, and the area below it.

const WIDTH = 240, HEIGHT = 52, MARGIN = 4;
/** Minimum number of values over which the width of a chart is divided. */
const LEAST = 15;

/** @param {Element} parent @param {string} className */
function path(parent, className) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "path");
  made.setAttribute("class", className);
  parent.append(made);
  return made;
}

/**
 * Creates a chart of the latest values, with the newest at the right edge.
 *
 * @param {SVGElement} svg
 * @param {number} most Maximum number of values.
 */
export function createChart(svg, most) {
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  const area = path(svg, "area"), line = path(svg, "line");
  /** @type {number[]} */
  let values = [];

  const draw = () => {
    if (values.length < 2) return;
    const top = Math.max(1, ...values) * 1.1;
    const step = WIDTH / (Math.max(values.length, Math.min(LEAST, most)) - 1);
    const points = values.map((value, index) => {
      const x = WIDTH - (values.length - 1 - index) * step;
      const y = HEIGHT - MARGIN - (value / top) * (HEIGHT - 2 * MARGIN);
      return `${x.toFixed(1)} ${y.toFixed(1)}`;
    });
    const first = (WIDTH - (values.length - 1) * step).toFixed(1);
    line.setAttribute("d", `M${points.join("L")}`);
    area.setAttribute("d", `M${first} ${HEIGHT}L${points.join("L")}L${WIDTH} ${HEIGHT}Z`);
  };

  return {
    /** @param {number} value */
    push: (value) => {
      values = [...values, value].slice(-most);
      draw();
    },
  };
}
