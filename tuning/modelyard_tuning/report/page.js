"use strict";
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const boxes = [...document.querySelectorAll(".plot")];

  const look = ({ layout, parentElement }) => {
    if (parentElement.classList.contains("paper")) return {};
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(name).trim();
    const axis = { gridcolor: read("--line"), linecolor: read("--line"), tickcolor: read("--line") };
    const axes = Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key));
    const colours = { "font.color": read("--text"), "hoverlabel.bgcolor": read("--card"), "hoverlabel.font.color": read("--text") };
    for (const name of axes) for (const [key, value] of Object.entries(axis)) colours[name + "." + key] = value;
    return colours;
  };

  const paint = async (box) => {
    await Plotly.relayout(box, look(box));
    box.dataset.drawn = dark.matches ? "dark" : "light";
  };

  const draw = async (box) => {
    const source = document.querySelector(`script[data-for="${box.id}"]`);
    const { data, layout } = JSON.parse(source.textContent);
    await Plotly.newPlot(box, data, layout, { responsive: true, displayModeBar: false });
    await paint(box);
  };

  dark.addEventListener("change", () => boxes.forEach(paint));
  boxes.forEach(draw);
})();
