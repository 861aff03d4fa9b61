"""WordPress as its owner uses it, without a window: install, log in, write."""

import json
import re

from browser import Answer, Browser

USER = "editor"
PASSWORD = "Four zones and a half 9"


def install(browser: Browser) -> Answer:
    fields = {
        "weblog_title": "The lab's site",
        "user_name": USER,
        "admin_password": PASSWORD,
        "admin_password2": PASSWORD,
        "admin_email": "editor@lab.test",
        "Submit": "Install WordPress",
        "language": "",
    }
    return browser.post_form("/wp-admin/install.php?step=2", fields)


def log_in(browser: Browser) -> Answer:
    browser.get("/wp-login.php")  # sets the cookie without which WordPress refuses a login
    fields = {"log": USER, "pwd": PASSWORD, "wp-submit": "Log In", "redirect_to": f"{browser.url}/wp-admin/"}
    return browser.post_form("/wp-login.php", fields)


def set_permalinks(browser: Browser) -> Answer:
    page = browser.get("/wp-admin/options-permalink.php").text
    nonce = re.search(r'name="_wpnonce" value="([0-9a-f]+)"', page)
    fields = {
        "_wpnonce": nonce.group(1) if nonce else "",
        "_wp_http_referer": "/wp-admin/options-permalink.php",
        "selection": "/%postname%/",
        "permalink_structure": "/%postname%/",
    }
    return browser.post_form("/wp-admin/options-permalink.php", fields)


def write(browser: Browser, title: str, slug: str, text: str) -> Answer:
    nonce = browser.get("/wp-admin/admin-ajax.php?action=rest-nonce").text
    post = json.dumps({"title": title, "slug": slug, "content": text, "status": "publish"}).encode()
    return browser.post("/wp-json/wp/v2/posts", post, {"Content-Type": "application/json", "X-WP-Nonce": nonce})
