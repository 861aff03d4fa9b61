"""Stage `site`: WordPress is installed, used and read through the balancer, as its owner and its visitors would."""

import hashlib
import json
import re

import containers
import settings
from browser import Answer, Browser
from report import Report
from shell import wait_until

_USER = "editor"
_PASSWORD = "Four zones and a half 9"
_TITLE = "Written through the balancer"
_SLUG = "written-through-the-balancer"
_VISITOR = "127.0.0.77"


def stage(report: Report) -> None:
    report.stage("a real WordPress through the balancer")
    containers.query("DROP DATABASE IF EXISTS wordpress; CREATE DATABASE wordpress;")
    browser = Browser()
    first = browser.get("/")
    report.check("a new site sends its visitor to the installer", "install.php" in first.location, first)
    done = _install(browser)
    report.check("the install form, posted, installs WordPress", done.status == 200 and "Success!" in done.text, done)

    entry = _log_in(browser)
    report.check("the owner logs in", entry.status == 302 and entry.location.endswith("/wp-admin/"), entry)
    _check_both(
        report, "that login is good at both targets: each shows the dashboard", browser, "/wp-admin/", "Dashboard"
    )
    saved = _set_permalinks(browser)
    report.check("a form of the admin pages saves its setting", "settings-updated=true" in saved.location, saved)

    nonce = browser.get("/wp-admin/admin-ajax.php?action=rest-nonce").text
    _write_post(report, browser, nonce)
    _upload(report, browser, nonce)
    _visit(report)


def ensure_installed(report: Report) -> None:
    """For stages that need a site with a front page."""
    browser = Browser()
    if browser.get("/").status != 200:
        report.say("installing WordPress first")
        _install(browser)
        wait_until("the front page is there", lambda: browser.get("/").status == 200, 10)


def _install(browser: Browser) -> Answer:
    fields = {
        "weblog_title": "The lab's site",
        "user_name": _USER,
        "admin_password": _PASSWORD,
        "admin_password2": _PASSWORD,
        "admin_email": "editor@lab.test",
        "Submit": "Install WordPress",
        "language": "",
    }
    return browser.post_form("/wp-admin/install.php?step=2", fields)


def _log_in(browser: Browser) -> Answer:
    browser.get("/wp-login.php")  # sets the cookie without which WordPress refuses a login
    fields = {"log": _USER, "pwd": _PASSWORD, "wp-submit": "Log In", "redirect_to": f"{settings.URL}/wp-admin/"}
    return browser.post_form("/wp-login.php", fields)


def _set_permalinks(browser: Browser) -> Answer:
    page = browser.get("/wp-admin/options-permalink.php").text
    nonce = re.search(r'name="_wpnonce" value="([0-9a-f]+)"', page)
    fields = {
        "_wpnonce": nonce.group(1) if nonce else "",
        "_wp_http_referer": "/wp-admin/options-permalink.php",
        "selection": "/%postname%/",
        "permalink_structure": "/%postname%/",
    }
    return browser.post_form("/wp-admin/options-permalink.php", fields)


def _write_post(report: Report, browser: Browser, nonce: str) -> None:
    text = "Both targets show these words."
    post = json.dumps({"title": _TITLE, "slug": _SLUG, "content": text, "status": "publish"}).encode()
    made = browser.post("/wp-json/wp/v2/posts", post, {"Content-Type": "application/json", "X-WP-Nonce": nonce})
    report.check("a post is published", made.status == 201, made)
    _check_both(report, "the post is read at its own address from both targets", Browser(), f"/{_SLUG}/", text)
    front = Browser(settings.NODE_C)
    _check_both(report, "the front page shows it, through the other zone's node too", front, "/", _TITLE)


def _upload(report: Report, browser: Browser, nonce: str) -> None:
    content = b"".join(b"%07d\n" % i for i in range(500_000))  # 4 MB
    headers = {
        "Content-Type": "text/plain",
        "Content-Disposition": 'attachment; filename="numbers.txt"',
        "X-WP-Nonce": nonce,
    }
    made = browser.post("/wp-json/wp/v2/media", content, headers)
    if not report.check("a file of 4 MB is uploaded", made.status == 201, made):
        return
    path = made.json()["source_url"].removeprefix(settings.URL)
    wanted = hashlib.sha256(content).digest()
    seen = Browser().from_every_target(path)
    same = [target for target, answer in seen.items() if hashlib.sha256(answer.body).digest() == wanted]
    report.check("and read back byte for byte from both targets", _is_both(same), sorted(same))


def _visit(report: Report) -> None:
    """X-Forwarded-For arrives, so that WordPress and its log know the visitor and not the balancer."""
    Browser(source=_VISITOR).from_every_target("/?visit")
    told = [s.id for s in settings.SITES if re.search(rf'^{_VISITOR} \S+ "GET /\?visit', containers.log(s), re.M)]
    report.check("both targets log the visitor's own address", _is_both(told), told)


def _check_both(report: Report, claim: str, browser: Browser, path: str, words: str) -> None:
    answers = browser.from_every_target(path)
    good = [target for target, answer in answers.items() if answer.status == 200 and words in answer.text]
    report.check(claim, _is_both(good) and len(answers) == len(good), [f"{a}"[:120] for a in answers.values()])


def _is_both(targets: list[str]) -> bool:
    return set(targets) == {site.id for site in settings.SITES}
