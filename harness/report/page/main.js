// Which view is shown is in the address, so that a test has a link; keys move between tests.

const page = document.getElementById('page');
const home = element('main', {class: 'page'}, verdict(), numbers(), runProblems(), services(), listing(),
  element('footer', {class: 'quiet'}, `sentry-verification-harness ${overview.harness}. Keys: / search, j and k next and previous, Enter open, Escape back.`));
let scrolled = 0;
let shownTest = null;

function wantedTest() {
  const match = /^#test-(\d+)$/.exec(location.hash);
  return match && Number(match[1]) < overview.rows.length ? Number(match[1]) : null;
}

async function show() {
  const number = wantedTest();
  if (shownTest === null && home.isConnected) scrolled = scrollY;
  const last = shownTest;
  shownTest = number;
  if (number === null) {
    page.replaceChildren(home);
    document.title = `${overview.passed ? '✓' : '✕'} Sentry verification`;
    scrollTo(0, scrolled);
    if (last !== null) rows()[last]?.focus({preventScroll: true});
    return;
  }
  const view = await detailView(number);
  if (shownTest !== number) return;
  page.replaceChildren(view);
  document.title = `${overview.rows[number].title} · Sentry verification`;
  scrollTo(0, 0);
  view.querySelector('h1').focus({preventScroll: true});
}

function rows() {
  return [...home.querySelectorAll('.row')];
}

function step(by) {
  if (shownTest !== null) {
    const next = shownTest + by;
    if (next >= 0 && next < overview.rows.length) location.hash = `#test-${next}`;
    return;
  }
  const visible = rows().filter((row) => !row.hidden);
  const at = visible.indexOf(document.activeElement);
  visible[Math.min(Math.max(at + by, 0), visible.length - 1)]?.focus();
}

addEventListener('keydown', (press) => {
  if (press.ctrlKey || press.metaKey || press.altKey) return;
  const writing = ['INPUT', 'SELECT', 'TEXTAREA'].includes(document.activeElement?.tagName);
  if (press.key === 'Escape') {
    if (writing) document.activeElement.blur();
    else if (shownTest !== null) location.hash = '';
  } else if (writing) {
    if (press.key === 'ArrowDown' && document.activeElement.id === 'search') {
      press.preventDefault();
      step(1);
    }
  } else if (press.key === '/') {
    press.preventDefault();
    if (shownTest !== null) location.hash = '';
    document.getElementById('search')?.focus();
  } else if (press.key === 'j') {
    step(1);
  } else if (press.key === 'k') {
    step(-1);
  }
});
addEventListener('hashchange', show);
show();
