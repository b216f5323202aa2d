"use strict";
// Draws each chart of #specs into the element of its name. Colours are CSS variables, so that the theme may change at any time.
const specs = JSON.parse(document.getElementById("specs").textContent);
const narrow = window.innerWidth < 700;
const config = {
  background: null,
  font: "system-ui, sans-serif",
  axis: {
    labelColor: "var(--text)", titleColor: "var(--soft)", gridColor: "var(--grid)", domainColor: "var(--grid)",
    tickColor: "var(--grid)", titleFontWeight: "normal", labelFontSize: 11,
  },
  axisY: { labelLimit: narrow ? 130 : 260, grid: false },
  axisX: { labelOverlap: true, tickCount: narrow ? 3 : 8 },
  legend: { labelColor: "var(--text)", titleColor: "var(--soft)", orient: "top", symbolType: "square" },
  view: { stroke: null },
};
for (const [name, spec] of Object.entries(specs)) {
  const place = document.getElementById(`chart-${name}`);
  const parsed = vega.parse(vegaLite.compile(spec, { config }).spec);
  const view = new vega.View(parsed, { renderer: "svg", container: place, hover: true });
  view.runAsync().catch((error) => { place.textContent = String(error); });
}
