// Applies the reader's choice of colours before the first paint, and lets them change it.
(function () {
  "use strict";
  const KEY = "lethe-theme";
  const root = document.documentElement;

  function read() {
    try {
      return window.localStorage.getItem(KEY) || "";
    } catch (error) {
      return ""; // storage may be forbidden: the system's choice stands
    }
  }

  function apply(theme) {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
    document.dispatchEvent(new CustomEvent("lethe:theme"));
  }

  apply(read());
  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll(".theme-choice").forEach(function (box) {
      const select = box.querySelector("select");
      select.value = read();
      box.hidden = false;
      select.addEventListener("change", function () {
        try {
          window.localStorage.setItem(KEY, select.value);
        } catch (error) {
          // not kept, but applied to this page
        }
        apply(select.value);
      });
    });
  });
})();
