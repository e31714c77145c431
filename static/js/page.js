// Small comforts; every page works without them.
(function () {
  "use strict";

  function typing(target) {
    return target.closest("input, textarea, select, [contenteditable]") !== null;
  }

  function offerCopies() {
    if (!navigator.clipboard) return;
    document.querySelectorAll("[data-copy]").forEach(function (button) {
      button.hidden = false;
      button.addEventListener("click", function () {
        navigator.clipboard.writeText(button.dataset.copy).then(function () {
          button.firstChild.textContent = button.dataset.done || "Copied";
        });
      });
    });
  }

  function moveRows(step) {
    const links = Array.from(document.querySelectorAll(".row-link"));
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    const next = links[Math.min(links.length - 1, Math.max(0, at + step))];
    next.focus();
  }

  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const find = document.querySelector("[data-find-key]");
    if (find && event.key === find.dataset.findKey) {
      event.preventDefault();
      find.focus();
    } else if (event.key === "j") moveRows(1);
    else if (event.key === "k") moveRows(-1);
  }

  // A filter acts as soon as it is changed; the button beside it serves readers without scripts.
  function actOnChange() {
    document.querySelectorAll("form[data-auto]").forEach(function (form) {
      form.querySelectorAll("button[type=submit]").forEach(function (button) {
        button.hidden = true;
      });
      form.addEventListener("change", function () {
        form.requestSubmit();
      });
    });
  }

  // A page about running work asks again after a while, but not while somebody writes on it.
  function refresh() {
    const seconds = Number(document.body.dataset.refresh || 0);
    if (!seconds) return;
    window.setInterval(function () {
      const active = document.activeElement;
      if (!document.hidden && !(active && typing(active))) window.location.reload();
    }, seconds * 1000);
  }

  document.addEventListener("keydown", keys);
  document.addEventListener("DOMContentLoaded", function () {
    offerCopies();
    actOnChange();
    refresh();
    const summary = document.querySelector(".error-summary");
    if (summary) summary.focus();
  });
})();
