// The statistics of the hub, and the latency of received events, over time.

import { createChart } from "./chart.js";
import { $, say, short } from "./dom.js";

const SAMPLES = 90, LATENCIES = 50;

export function startStatistics() {
  const charts = Object.fromEntries(["connections", "users", "rate"].map((name) => [name, createChart($(`${name}-chart`), SAMPLES)]));
  const latencyChart = createChart($("latency-chart"), LATENCIES);
  /** @type {number[]} */
  let latencies = [];
  /** @type {{ delivered: number, at: number } | undefined} */
  let before;

  /** @param {any} stats Undefined if the hub cannot be asked. */
  const show = (stats) => {
    if (!stats) {
      for (const id of ["connections", "users", "rate"]) say(id, "–");
      return;
    }
    const { totalConnections, uniqueUsers, delivered } = stats;
    const now = { delivered, at: performance.now() };
    const rate = before && before.delivered <= delivered ? ((delivered - before.delivered) / (now.at - before.at)) * 1000 : 0;
    before = now;
    say("connections", short(totalConnections));
    say("users", short(uniqueUsers));
    say("rate", rate > 0 && rate < 10 ? rate.toFixed(1) : short(Math.round(rate)));
    charts.connections.push(totalConnections);
    charts.users.push(uniqueUsers);
    charts.rate.push(rate);
  };

  return {
    show,
    /** @param {number} milliseconds */
    latency: (milliseconds) => {
      latencies = [...latencies, milliseconds].slice(-LATENCIES);
      const sorted = [...latencies].sort((a, b) => a - b);
      say("latency", short(sorted[Math.floor(sorted.length / 2)]));
      latencyChart.push(milliseconds);
    },
  };
}
