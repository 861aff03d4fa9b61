"""A visitor with a window: Debian's Chromium, which trusts the lab's authority and nobody else."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import settings
import wordpress
from report import Report
from shell import run

sys.path.append(str(settings.CHECKOUT / "tests" / "browser"))
from chromium import Chromium  # noqa: E402

# The visitor uploads a picture, made on the spot, and publishes a post with it, as the editor's own scripts do.
_PUBLISH = """
const done = arguments[arguments.length - 1], [title, slug] = arguments;
(async () => {
  const nonce = await (await fetch('/wp-admin/admin-ajax.php?action=rest-nonce')).text();
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [640, 360];
  const paint = canvas.getContext('2d');
  const sky = paint.createLinearGradient(0, 0, 640, 360);
  sky.addColorStop(0, '#1f4e79'); sky.addColorStop(1, '#f2b134');
  paint.fillStyle = sky; paint.fillRect(0, 0, 640, 360);
  paint.fillStyle = 'white'; paint.font = '44px sans-serif'; paint.fillText(title, 40, 190);
  const picture = await new Promise(made => canvas.toBlob(made, 'image/png'));
  const media = await fetch('/wp-json/wp/v2/media', { method: 'POST', body: picture, headers: {
    'Content-Type': 'image/png', 'Content-Disposition': `attachment; filename="${slug}.png"`, 'X-WP-Nonce': nonce } });
  if (media.status !== 201) throw new Error('picture: ' + media.status);
  const content = `<img src="${(await media.json()).source_url}" width="640"><p>Written in a browser.</p>`;
  const post = await fetch('/wp-json/wp/v2/posts', { method: 'POST', headers: {
    'Content-Type': 'application/json', 'X-WP-Nonce': nonce },
    body: JSON.stringify({ title, slug, content, status: 'publish' }) });
  done(post.status === 201 ? 'published' : 'post: ' + post.status);
})().catch(error => done(String(error)));
"""
_PICTURE_IS_THERE = "const p = document.querySelector('.entry-content img'); return !!p && p.complete && p.naturalWidth"


def visit(report: Report, phase: str, url: str, address: str, authority: Path | None = None) -> None:
    """The check that each phase ends with: see the site, log in, publish a post with a picture, read it."""
    title = f"Written in {phase.replace('-', ' ')}"
    with _window(phase, address, authority) as window:
        window.open(f"{url}/")
        report.check(f"{phase}: a browser shows the site", "The lab's site" in window.text("body"))
        window.screenshot(settings.LOGS / f"{phase}-site.png")
        window.open(f"{url}/wp-login.php")
        window.enter("#user_login", wordpress.USER)
        window.enter("#user_pass", wordpress.PASSWORD)
        window.click("#wp-submit")
        greeted = _soon(lambda: "Dashboard" in window.text("#wpbody h1"))
        report.check(f"{phase}: the owner logs in and sees the dashboard", greeted)
        published = window.run_async(_PUBLISH, title, phase)
        report.check(f"{phase}: a post with a picture is published", published == "published", published)
        window.open(f"{url}/{phase}/")
        read = title in window.text("body") and _soon(lambda: window.run(_PICTURE_IS_THERE) == 640)
        report.check(f"{phase}: the post is read, with its picture", read)
        window.screenshot(settings.LOGS / f"{phase}-post.png")


@contextmanager
def _window(name: str, address: str, authority: Path | None) -> Iterator[Chromium]:
    rules = f"--host-resolver-rules=MAP {settings.HOST} {address}, MAP * ~NOTFOUND, EXCLUDE {address}"
    with tempfile.TemporaryDirectory(prefix="elbow-lab-home-", ignore_cleanup_errors=True) as home:
        store = Path(home, ".pki", "nssdb")
        store.mkdir(parents=True)
        run("certutil", "-N", "-d", f"sql:{store}", "--empty-password")
        if authority:
            run("certutil", "-A", "-d", f"sql:{store}", "-n", "lab", "-t", "C,,", "-i", authority)
        log = settings.LOGS / f"chromedriver-{name}.log"
        with Chromium(log, more=[rules], environment={"HOME": home}) as window:
            yield window


def _soon(holds: Callable[[], bool], limit: float = 15) -> bool:
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            if holds():
                return True
        except LookupError:
            pass  # the page is not there yet
        time.sleep(0.1)
    return False
