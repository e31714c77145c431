// What does not fit on the page that is shown: sideways scroll, text beyond the window, text cut off by its box, text
// upon text; and letters of a drawing that do not grow with the reader's. What is hidden from sight, and what scrolls
// within a box of its own, is left out.
() => {
  const faults = [], lines = [], width = document.documentElement.clientWidth, known = new Map();
  const style = one => known.get(one) || known.set(one, getComputedStyle(one)).get(one);
  const beyond = document.documentElement.scrollWidth - width;
  if (beyond > 0) faults.push(`${beyond} pixels wider than the window`);
  const least = 0.74 * parseFloat(style(document.documentElement).fontSize);
  for (const one of document.querySelectorAll("svg text")) {
    const { a, b } = one.getScreenCTM(), size = parseFloat(style(one).fontSize) * Math.hypot(a, b);
    if (one.checkVisibility() && size < least) faults.push(`drawn too small: ${one.textContent} (${size.toFixed(1)})`);
  }
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walk.nextNode()); ) {
    const words = node.data.trim().replace(/\s+/g, " ").slice(0, 60), boxes = [];
    if (!words || !node.parentElement.checkVisibility({ visibilityProperty: true })) continue;
    for (let one = node.parentElement; one; one = one.parentElement) boxes.push(one);
    if (boxes.some(one => style(one).clipPath === "inset(50%)" || /auto|scroll/.test(style(one).overflow))) continue;
    const clips = boxes.filter(one => /hidden|clip/.test(style(one).overflow)).map(one => one.getBoundingClientRect());
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const { left, right, top, bottom } of range.getClientRects()) {
      if (right - left < 2) continue;
      if (left < -1 || right > width + 1) faults.push(`beyond the window: ${words}`);
      if (clips.some(c => left < c.left - 2 || right > c.right + 2 || top < c.top - 4 || bottom > c.bottom + 4))
        faults.push(`cut off: ${words}`);
      lines.push({ left, right, top, bottom, node, words });
    }
  }
  lines.sort((a, b) => a.top - b.top);
  lines.forEach((a, n) => {
    for (const b of lines.slice(n + 1)) {
      if (b.top >= a.bottom) break;
      const shared = Math.min(a.bottom, b.bottom) - b.top, least = Math.min(a.bottom - a.top, b.bottom - b.top);
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      if (a.node !== b.node && across > 2 && shared > least / 2)
        faults.push(`upon each other: ${a.words} | ${b.words}`);
    }
  });
  return [...new Set(faults)].slice(0, 6);
}
