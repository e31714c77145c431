// Small comforts; every page works without them.
(function () {
  "use strict";

  function typing(target) {
    return target.closest("input, textarea, select, [contenteditable]") !== null;
  }

  // Parts of a page may be put in later (live.js): each element is made ready once.
  function once(selector) {
    return Array.from(document.querySelectorAll(selector)).filter(function (element) {
      const fresh = !element.isReady;
      element.isReady = true;
      return fresh;
    });
  }

  function offerCopies() {
    if (!navigator.clipboard) return;
    once("[data-copy]").forEach(function (button) {
      button.hidden = false;
      button.addEventListener("click", function () {
        navigator.clipboard.writeText(button.dataset.copy).then(function () {
          button.firstChild.textContent = button.dataset.done || "Copied";
        });
      });
    });
  }

  function links() {
    return Array.from(document.querySelectorAll(".row-link")).filter(function (link) {
      return link.checkVisibility ? link.checkVisibility() : link.offsetParent !== null;
    });
  }

  function row() {
    return document.activeElement ? document.activeElement.closest("tr") : null;
  }

  function moveRows(step) {
    const all = links();
    if (!all.length) return;
    const here = row();
    const at = all.findIndex(function (link) {
      return here && link.closest("tr") === here;
    });
    const exact = all.indexOf(document.activeElement); // several links may stand in one row
    all[Math.min(all.length - 1, Math.max(0, (exact < 0 ? at : exact) + step))].focus();
  }

  function tick() {
    const box = row() && row().querySelector("input[type=checkbox]");
    if (box) box.click();
  }

  // What a hit is to become, chosen in its own row.
  function choose(value) {
    const field = row() && row().querySelector("select[name^=hit_]");
    if (field) field.value = value;
    return Boolean(field);
  }

  // The step of the row in which the reader is.
  function rowStep(key) {
    const step = row() && row().querySelector("[data-row-key='" + CSS.escape(key) + "']");
    if (step) step.click();
    return Boolean(step);
  }

  function toDecision() {
    const panel = document.querySelector(".case-panel");
    if (!panel) return;
    const field = panel.querySelector(".decision input:checked, .decision select, .decision textarea, .decision button, .decision input:not([type=hidden])");
    const goal = field || panel.querySelector("h2");
    if (!field) goal.tabIndex = -1;
    goal.focus();
  }

  function writeNote() {
    const field = document.querySelector("textarea[data-key='c']");
    if (!field) return;
    const around = field.closest("details");
    if (around) around.open = true;
    field.focus();
  }

  const CHOICES = { e: "erase", l: "exclude", r: "refuse" };
  const KEPT = "lethe-keys-off";

  function keysOff() {
    try {
      return window.localStorage.getItem(KEPT) === "1";
    } catch (error) {
      return false;
    }
  }

  function help() {
    const dialog = document.getElementById("keys");
    if (dialog && dialog.showModal && !dialog.open) dialog.showModal();
  }

  function offerHelp() {
    once("#keys-on").forEach(function (box) {
      box.checked = !keysOff();
      box.addEventListener("change", function () {
        try {
          window.localStorage.setItem(KEPT, box.checked ? "" : "1");
        } catch (error) {
          box.checked = true;
        }
      });
    });
    once("[data-keys]").forEach(function (button) {
      button.hidden = false;
      button.addEventListener("click", help);
    });
    once("[data-print]").forEach(function (button) {
      button.hidden = false;
      button.addEventListener("click", function () {
        window.print();
      });
    });
  }

  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const open = document.querySelector("dialog[open]");
    if (open) return;
    // Boxes and choices take no letters: only fields that are written in, and lists that jump by letter, keep them.
    const quiet = event.target.matches("input[type=checkbox], input[type=radio]");
    if (event.key === "Escape" && typing(event.target)) event.target.blur();
    if (typing(event.target) && !quiet) return;
    if (event.key === "?") return help();
    if (keysOff()) return;
    act(event);
  }

  function act(event) {
    const find = document.querySelector("[data-find-key]");
    if (find && event.key === find.dataset.findKey) {
      event.preventDefault();
      return find.focus();
    }
    if (!/^[a-z]$/.test(event.key)) return;
    const focus = document.querySelector("[data-focus-key='" + event.key + "']");
    const press = document.querySelector("a[data-key='" + event.key + "'], button[data-key='" + event.key + "']");
    if (event.key === "j") moveRows(1);
    else if (event.key === "k") moveRows(-1);
    else if (event.key === "x") tick();
    else if (event.key === "d") toDecision();
    else if (event.key === "c") {
      event.preventDefault();
      writeNote();
    } else if (rowStep(event.key)) return;
    else if (CHOICES[event.key] && choose(CHOICES[event.key])) return;
    else if (focus) focus.focus();
    else if (press) press.click();
  }

  // A choice acts as soon as it is made; the button serves dates, of which two belong together, and readers without
  // scripts. What stands in place of dates empties them.
  function actOnChange() {
    once("form[data-auto]").forEach(function (form) {
      const dates = form.querySelectorAll("input[type=date]");
      form.querySelectorAll("button[type=submit]").forEach(function (button) {
        if (dates.length) dates[0].closest("details").append(button);
        else button.hidden = true;
      });
      form.addEventListener("change", function (event) {
        if (event.target.type === "date") return;
        if (event.target.hasAttribute("data-instead")) {
          dates.forEach(function (date) {
            date.value = "";
          });
        }
        form.requestSubmit();
      });
    });
  }

  document.addEventListener("keydown", keys);
  function ready() {
    offerCopies();
    offerHelp();
    actOnChange();
  }

  document.addEventListener("lethe:fresh", ready);
  document.addEventListener("DOMContentLoaded", function () {
    ready();
    const summary = document.querySelector(".error-summary");
    if (summary) summary.focus();
  });
})();
