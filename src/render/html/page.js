"use strict";
(() => {
  const lanes = Array.from(document.querySelectorAll(".lane"));
  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const tools = document.getElementById("tools");
  let from = 0, to = 1000;
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const lane of lanes) {
      const text = lane.dataset.words;
      const fits = words.every((word) => text.includes(word));
      lane.hidden = !fits;
      count += fits ? 1 : 0;
    }
    shown.textContent = count + " of " + lanes.length + " sockets";
  };
  const zoom = (a, b) => {
    const width = Math.min(1000, Math.max(0.001, b - a));
    from = Math.min(Math.max(0, a), 1000 - width);
    to = from + width;
    for (const drawing of document.querySelectorAll(".lane svg, .area svg")) {
      const height = drawing.viewBox.baseVal.height;
      drawing.setAttribute("viewBox", from + " 0 " + (to - from) + " " + height);
    }
  };
  const middle = () => (from + to) / 2;
  const by = (factor) => zoom(middle() - (to - from) * factor / 2, middle() + (to - from) * factor / 2);
  const actions = {
    in: () => by(0.5),
    out: () => by(2),
    left: () => zoom(from - (to - from) / 4, to - (to - from) / 4),
    right: () => zoom(from + (to - from) / 4, to + (to - from) / 4),
    whole: () => zoom(0, 1000),
  };
  for (const button of tools.querySelectorAll("button")) {
    button.addEventListener("click", actions[button.value]);
  }
  filter.addEventListener("input", apply);
  filter.value = decodeURIComponent(location.hash.slice(1));
  tools.hidden = false;
  apply();
})();
