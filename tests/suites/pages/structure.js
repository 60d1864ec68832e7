// Whatever is in a page that our templates do not write.
() => {
  const odd = [];
  for (const e of document.querySelectorAll('*')) {
    const refused = /^(iframe|object|embed|base|form|video|audio|template|marquee|textarea|noscript)$/i;
    if (refused.test(e.localName)) odd.push(e.localName);
    for (const a of e.attributes) {
      if (/^on/i.test(a.name) || a.name === 'style') odd.push(e.localName + ' ' + a.name);
      const fine = /^(#|data:image\/png;base64,|data:text\/csv;base64,|https:\/\/(doi\.org|arxiv\.org)\/)/;
      if (/^(href|src|action|xlink:href)$/i.test(a.name) && !fine.test(a.value)) odd.push(a.value);
    }
  }
  const scripts = [...document.scripts].filter((s) => s.type !== 'application/json').length;
  const styles = document.querySelectorAll('style').length;
  if (scripts !== 1 || styles !== 1) odd.push(`${scripts} scripts, ${styles} styles`);
  return odd;
}
