// A page about running work asks again after a while and puts new parts in the place of old ones: nothing is loaded anew,
// no place is lost. Not while somebody writes on it, nor while nobody sees it.
(function () {
  "use strict";

  // A form's token differs with every answer and changes nothing that is read.
  function said(part) {
    return part.outerHTML.replace(/(name="csrfmiddlewaretoken" value=")[^"]*/g, "$1");
  }

  function parts(main) {
    return Array.from(main.children);
  }

  // Somebody is in a field, or has left something in one that was not sent.
  function writing() {
    const here = document.activeElement;
    if (here && here.closest("input, textarea, select, [contenteditable]")) return true;
    return Array.from(document.querySelectorAll("#main input, #main textarea, #main select")).some(function (field) {
      if (field.matches("select")) {
        const first = field.multiple ? -1 : 0;
        const given = Array.from(field.options).some((one) => one.defaultSelected);
        return Array.from(field.options).some((one, n) => one.selected !== (given ? one.defaultSelected : n === first));
      }
      if (field.matches("[type=checkbox], [type=radio]")) return field.checked !== field.defaultChecked;
      return field.type !== "hidden" && field.value !== field.defaultValue;
    });
  }

  // What was opened stays open, and the focus stays on the same link.
  function replace(old, fresh) {
    old.querySelectorAll("details").forEach(function (one, index) {
      const same = fresh.querySelectorAll("details")[index];
      if (same) same.open = one.open;
    });
    const focus = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    old.replaceWith(fresh);
    const link = focus && Array.from(fresh.querySelectorAll("a[href]")).find((one) => one.getAttribute("href") === focus);
    if (link) link.focus({ preventScroll: true });
  }

  function begin() {
    let shown = parts(document.getElementById("main"));
    let words = shown.map(said);
    let timer = 0;

    function put(text) {
      const page = new DOMParser().parseFromString(text, "text/html");
      const fresh = parts(page.getElementById("main")).map((part) => document.importNode(part, true));
      const told = fresh.map(said);
      if (fresh.length !== shown.length) {
        document.getElementById("main").replaceChildren(...fresh);
        shown = fresh;
      } else {
        fresh.forEach(function (part, index) {
          if (told[index] === words[index]) return;
          replace(shown[index], part);
          shown[index] = part;
        });
      }
      words = told;
      document.title = page.title;
      document.body.dataset.refresh = page.body.dataset.refresh || "";
      document.dispatchEvent(new CustomEvent("lethe:fresh"));
    }

    function ask() {
      if (document.hidden || writing()) return wait();
      fetch(window.location.href, { credentials: "same-origin" }).then(function (answer) {
        if (answer.redirected) return window.location.reload(); // signed out meanwhile
        return answer.ok ? answer.text().then(put) : null;
      }).catch(function () {}).finally(wait);
    }

    function wait() {
      window.clearTimeout(timer);
      const seconds = Number(document.body.dataset.refresh || 0);
      if (seconds) timer = window.setTimeout(ask, seconds * 1000);
    }

    wait();
  }

  // At once: scripts that come later change parts, and every part would count as new.
  begin();
})();
