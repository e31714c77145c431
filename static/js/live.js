// A page about running work asks again after a while and puts new parts in the place of old ones: nothing is loaded anew,
// no place is lost. Not while somebody writes on it, nor while nobody sees it. What counts is told to those who listen.
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

  // What can hold the focus, by what a reader knows it by: where a link leads, and what it or a button says.
  const HOLDS = "a[href], button, summary, [tabindex]";

  function mark(element) {
    return [element.tagName, element.getAttribute("href"), element.textContent.trim()].join("|");
  }

  // The same element in the new parts: of several alike the one at the same place among them.
  function finder(roots) {
    const here = document.activeElement;
    const held = roots.flatMap((root) => Array.from(root.querySelectorAll(HOLDS)));
    const at = held.indexOf(here);
    if (at < 0) return function () {};
    const alike = held.filter((one) => mark(one) === mark(here)).indexOf(here);
    return function (fresh) {
      const there = fresh.flatMap((root) => Array.from(root.querySelectorAll(HOLDS)));
      const same = there.filter((one) => mark(one) === mark(here));
      const goal = same[alike] || same[0] || there.find((one) => here.getAttribute("href") && one.getAttribute("href") === here.getAttribute("href")) ||
        (there[at] && there[at].tagName === here.tagName ? there[at] : null);
      if (goal) goal.focus({ preventScroll: true });
    };
  }

  // What was opened stays open, what scrolls by itself stays where it was, and the focus stays.
  function keep(roots) {
    const focus = finder(roots);
    const opened = roots.flatMap((root) => Array.from(root.querySelectorAll("details")).map((one) => one.open));
    const scrolled = roots.flatMap((root) => Array.from(root.querySelectorAll("pre, [tabindex='0']")).map((one) => [one.scrollLeft, one.scrollTop]));
    return function (fresh) {
      const details = fresh.flatMap((root) => Array.from(root.querySelectorAll("details")));
      if (details.length === opened.length) details.forEach((one, index) => (one.open = opened[index]));
      const boxes = fresh.flatMap((root) => Array.from(root.querySelectorAll("pre, [tabindex='0']")));
      if (boxes.length === scrolled.length) boxes.forEach((one, index) => one.scrollTo(...scrolled[index]));
      focus(fresh);
    };
  }

  // What counts on a page: its conclusion, and what is marked; a clock that runs on is no news.
  function news() {
    const marked = Array.from(document.querySelectorAll("#main [data-tell]")).map((one) => one.dataset.tell);
    return (marked.length ? marked : [document.querySelector("#main h1").textContent]).join(". ").trim();
  }

  function begin() {
    let shown = parts(document.getElementById("main"));
    let words = shown.map(said);
    let timer = 0;
    let told = news();
    let missed = 0;
    let asked = Date.now();
    const voice = document.getElementById("live");
    const stale = document.getElementById("live-stale");

    // Three answers that did not come are said on the page: it would look as if nothing happened.
    function late(yes) {
      missed = yes ? missed + 1 : 0;
      if (yes && missed === 1) stale.querySelector("time").textContent = new Date(asked).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      stale.hidden = missed < 3;
    }

    function put(text) {
      const page = new DOMParser().parseFromString(text, "text/html");
      const fresh = parts(page.getElementById("main")).map((part) => document.importNode(part, true));
      const texts = fresh.map(said);
      if (fresh.length !== shown.length) {
        const kept = keep(shown);
        document.getElementById("main").replaceChildren(...fresh);
        kept(fresh);
        shown = fresh;
      } else {
        fresh.forEach(function (part, index) {
          if (texts[index] === words[index]) return;
          const kept = keep([shown[index]]);
          shown[index].replaceWith(part);
          kept([part]);
          shown[index] = part;
        });
      }
      words = texts;
      document.title = page.title;
      document.body.dataset.refresh = page.body.dataset.refresh || "";
      document.dispatchEvent(new CustomEvent("lethe:fresh"));
      const now = news();
      if (now !== told) voice.textContent = now;
      told = now;
    }

    function ask() {
      if (document.hidden || writing()) return wait();
      fetch(window.location.href, { credentials: "same-origin" }).then(function (answer) {
        if (answer.redirected) return window.location.reload(); // signed out meanwhile
        if (!answer.ok) return late(true);
        return answer.text().then(put).then(function () {
          asked = Date.now();
          late(false);
        });
      }).catch(() => late(true)).finally(wait);
    }

    function wait() {
      window.clearTimeout(timer);
      const seconds = Number(document.body.dataset.refresh || 0);
      if (seconds) timer = window.setTimeout(ask, seconds * 1000);
    }

    // Whoever comes back to the page need not wait for its turn.
    document.addEventListener("visibilitychange", function () {
      if (!document.hidden && document.body.dataset.refresh && Date.now() - asked > 1000 * Number(document.body.dataset.refresh)) ask();
    });
    wait();
  }

  // At once: scripts that come later change parts, and every part would count as new.
  begin();
})();
