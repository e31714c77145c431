// Draws each figure[data-chart] with Chart.js from the JSON beside it, in the colours of the present theme, when it comes
// near the window. The library is fetched with the first of them: whoever reads the top of a page does not wait for it.
(function () {
  "use strict";
  const DASHES = [[], [6, 4], [2, 3], [8, 3, 2, 3]];
  const MARKERS = ["circle", "rect", "rectRot", "triangle"];
  const NEAR = "300px";
  const SERIF = "600 18px 'Source Serif 4 Public', serif"; // the cut that the page has: the other weighs 122 kB more
  const library = document.currentScript.dataset.library;
  const charts = new Map();
  let fetched = null;

  function token(name) {
    return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  }

  // Pixels of letters that grow with the size that a reader chose.
  function letters(size) {
    return (size * parseFloat(getComputedStyle(document.documentElement).fontSize)) / 16;
  }

  function still() {
    return window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  }

  // Names stand at the ends of their lines; neighbours give way so that none covers another.
  const endLabels = {
    id: "endLabels",
    afterDatasetsDraw: function (chart) {
      if (!chart.options.plugins.endLabels.show) return;
      const places = [];
      chart.data.datasets.forEach(function (set, index) {
        const points = chart.getDatasetMeta(index).data;
        let last = set.data.length - 1;
        while (last >= 0 && (set.data[last] === null || set.data[last] === undefined)) last -= 1;
        if (last >= 0) places.push({ set: set, x: points[last].x + 10, y: points[last].y });
      });
      // All begin where the longest line ends: a line that ends sooner would have its name crossed by the others.
      const end = Math.max(...places.map((place) => place.x));
      places.sort((a, b) => a.y - b.y);
      for (let i = 1; i < places.length; i += 1) places[i].y = Math.max(places[i].y, places[i - 1].y + letters(15));
      // Where the lowest would stand among the numbers of the axis, they give way upwards.
      let below = chart.chartArea.bottom;
      for (let i = places.length - 1; i >= 0; i -= 1) {
        places[i].y = Math.min(places[i].y, below);
        below = places[i].y - letters(15);
      }
      const context = chart.ctx;
      context.save();
      context.font = "600 " + letters(12) + "px 'IBM Plex Sans', sans-serif";
      context.textBaseline = "middle";
      places.forEach(function (place) {
        context.fillStyle = place.set.borderColor;
        context.fillText(place.set.label, end, place.y);
      });
      context.restore();
    },
  };

  const limitLine = {
    id: "limitLine",
    afterDatasetsDraw: function (chart) {
      const limit = chart.options.plugins.limitLine.value;
      if (limit === null || limit === undefined) return;
      const y = chart.scales.y.getPixelForValue(limit);
      const context = chart.ctx;
      context.save();
      context.strokeStyle = token("ink");
      context.lineWidth = 2;
      context.beginPath();
      context.moveTo(chart.chartArea.left, y);
      context.lineTo(chart.chartArea.right, y);
      context.stroke();
      context.restore();
    },
  };

  // A value between gaps has no line through it, so that only its marker shows it.
  function alone(data, i) {
    return data[i] !== null && (data[i - 1] ?? null) === null && (data[i + 1] ?? null) === null;
  }

  function dataset(series, index, kind, count) {
    const colour = token("series-" + (index + 1));
    const filled = index === 0 || index === 3;
    const every = Math.max(1, Math.round((series.data.length - 1) / 5));
    return {
      label: series.name,
      data: series.data,
      borderColor: colour,
      backgroundColor: kind === "bar" ? (filled ? colour : token("paper")) : colour,
      borderWidth: kind === "bar" ? 2 : 1.75,
      borderDash: kind === "line" ? DASHES[index] : [],
      pointStyle: MARKERS[index],
      pointRadius: kind === "scatter" ? 5.5 : series.data.map((_, i) => (i % every === 0 || i === series.data.length - 1 || alone(series.data, i) ? 4 : 0)),
      pointHoverRadius: 6,
      pointBackgroundColor: filled ? colour : token("paper"),
      pointBorderColor: colour,
      pointBorderWidth: 1.75,
      maxBarThickness: 34,
      categoryPercentage: count > 1 ? 0.7 : 0.6,
      tension: 0,
      spanGaps: false,
    };
  }

  function axis(label, options) {
    const small = { family: "'IBM Plex Sans', sans-serif", size: letters(12) };
    return Object.assign(
      {
        title: { display: Boolean(label), text: label || "", color: token("ink-3"), font: small },
        ticks: { color: token("ink-2"), font: small, maxRotation: 0, autoSkipPadding: 16, maxTicksLimit: 8 },
        border: { color: token("ink") },
        grid: { color: token("hair") },
      },
      options
    );
  }

  function options(data) {
    const roomy = data.kind === "line";
    const longest = data.series.reduce((most, s) => Math.max(most, s.name.length), 0);
    const unit = data.unit || "";
    const few = data.kind === "bar" && data.labels.length <= 12 && data.labels.some((label) => label.length > 8);
    const whole = data.kind !== "scatter" && data.series.every((s) => s.data.every((v) => v === null || Number.isInteger(v)));
    const y = axis(data.y_label, {
      beginAtZero: data.zero !== false,
      max: data.y_max === null ? undefined : data.y_max,
      border: { display: data.kind === "scatter", color: token("ink") },
    });
    const x = axis(data.x_label, { grid: { display: data.kind === "scatter", color: token("hair") } });
    if (whole) y.ticks.precision = 0; // nothing that is counted comes in halves
    if (few) Object.assign(x.ticks, { autoSkip: false, maxRotation: 50 });
    if (data.kind === "scatter") x.grace = "8%";
    return {
      responsive: true,
      maintainAspectRatio: false,
      animation: still() ? false : { duration: 240 },
      layout: { padding: { right: roomy ? 14 + longest * 6.6 : 12, top: 8 } },
      interaction: { mode: data.kind === "scatter" ? "nearest" : "index", intersect: false },
      scales: {
        x: x,
        y: y,
      },
      plugins: {
        endLabels: { show: roomy },
        limitLine: { value: data.limit },
        legend: {
          display: !roomy && data.series.length > 1,
          align: "start",
          labels: { color: token("ink-2"), usePointStyle: true, boxHeight: 7, font: { family: "'IBM Plex Sans', sans-serif", size: letters(13) } },
        },
        tooltip: {
          backgroundColor: token("ink"),
          titleColor: token("paper"),
          bodyColor: token("paper"),
          cornerRadius: 2,
          animation: false,
          callbacks: {
            label: function (item) {
              if (data.kind !== "scatter") return " " + item.dataset.label + ": " + item.formattedValue + unit;
              const name = item.raw.label || item.dataset.label;
              return " " + name + ": " + item.formattedValue;
            },
          },
        },
      },
    };
  }

  function draw(figure) {
    const data = JSON.parse(document.getElementById(figure.dataset.chart).textContent);
    const canvas = figure.querySelector("canvas");
    return new window.Chart(canvas, {
      type: data.kind,
      data: {
        labels: data.labels || undefined,
        datasets: data.series.map((series, index) => dataset(series, index, data.kind, data.series.length)),
      },
      options: options(data),
      plugins: [endLabels, limitLine],
    });
  }

  // Words in lines that are no wider than the sheet.
  function lines(context, text, width) {
    return text.split(/\s+/).reduce(function (found, word) {
      const longer = found.length ? found[found.length - 1] + " " + word : word;
      if (found.length && context.measureText(longer).width <= width) found[found.length - 1] = longer;
      else found.push(word);
      return found;
    }, []);
  }

  // The chart as a picture that stands alone: title and conclusion over it, the house and the day below, twice as fine as
  // the page, on the paper of the present theme.
  function picture(figure) {
    const chart = charts.get(figure);
    const before = chart.currentDevicePixelRatio;
    const fine = Math.max(2, before);
    chart.options.devicePixelRatio = fine;
    chart.resize();
    chart.update("none");
    const canvas = chart.canvas;
    const sheet = document.createElement("canvas");
    const context = sheet.getContext("2d");
    const pad = 20;
    const width = canvas.width / fine;
    const sans = "13px 'IBM Plex Sans', sans-serif";
    context.font = sans;
    const told = lines(context, figure.querySelector(".chart__note").textContent.trim(), width);
    const top = pad + 28 + told.length * 20 + 12;
    sheet.width = (width + 2 * pad) * fine;
    sheet.height = top * fine + canvas.height + 44 * fine;
    context.scale(fine, fine);
    context.fillStyle = token("paper");
    context.fillRect(0, 0, sheet.width, sheet.height);
    context.textBaseline = "top";
    context.fillStyle = token("ink");
    context.font = SERIF;
    context.fillText(figure.querySelector(".chart__title").textContent.trim(), pad, pad);
    context.font = sans;
    context.fillStyle = token("ink-2");
    told.forEach((line, n) => context.fillText(line, pad, pad + 28 + n * 20));
    context.drawImage(canvas, pad, top, width, canvas.height / fine);
    const house = document.querySelector(".foot__row p");
    const tongue = document.documentElement.lang;
    const day = new Date().toLocaleDateString(tongue === "en" ? "en-GB" : tongue, { day: "numeric", month: "long", year: "numeric" });
    context.fillStyle = token("ink-3");
    context.fillText([house ? house.textContent.trim() : "", day].filter(Boolean).join(", "), pad, top + canvas.height / fine + 12);
    chart.options.devicePixelRatio = before;
    chart.resize();
    chart.update("none");
    return sheet.toDataURL("image/png");
  }

  function offerPicture(figure) {
    document.fonts.load(SERIF); // a canvas does not wait for its letters
    const link = document.createElement("a");
    link.className = "no-print";
    link.textContent = figure.dataset.picture;
    link.href = "#";
    link.download = figure.dataset.chart.replace("-data", "") + ".png";
    link.addEventListener("click", function () {
      link.href = picture(figure);
    });
    figure.querySelector(".chart__ways").append(link);
  }

  function load() {
    fetched = fetched || new Promise(function (resolve, reject) {
      const script = document.createElement("script");
      script.src = library;
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    });
    return fetched;
  }

  // Without the library the figure keeps its sentence and its table.
  function show(figure) {
    Promise.all([load(), document.fonts.ready]).then(function () {
      if (charts.has(figure)) return;
      charts.set(figure, draw(figure));
      figure.classList.add("is-drawn");
      offerPicture(figure);
    }, function () {});
  }

  function redraw() {
    charts.forEach(function (chart, figure) {
      chart.destroy();
      charts.set(figure, draw(figure));
    });
  }

  function watch() {
    const near = new IntersectionObserver(function (entries) {
      entries.filter((entry) => entry.isIntersecting).forEach(function (entry) {
        near.unobserve(entry.target);
        show(entry.target);
      });
    }, { rootMargin: NEAR + " 0px" });
    const begin = () => document.querySelectorAll("figure[data-chart]:not(.is-drawn)").forEach((figure) => near.observe(figure));
    begin();
    document.addEventListener("lethe:fresh", function () {
      charts.forEach(function (chart, figure) {
        if (figure.isConnected) return;
        chart.destroy();
        charts.delete(figure);
      });
      begin();
    });
  }

  document.addEventListener("DOMContentLoaded", function () {
    watch();
    document.addEventListener("lethe:theme", redraw);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    window.matchMedia("(prefers-reduced-motion: reduce)").addEventListener("change", redraw);
  });
})();
