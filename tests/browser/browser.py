"""What every browser test has in common: the browser, the looks, and what holds for each page."""

import contextlib
import os
import pathlib
import shutil

import axe_playwright_python

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
SHOTS = TARGET / "browser"
AXE = pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js"
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True},
    "dark phone": {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True},
}


def launch(playwright):
    """Chromium, for which one name leads here as an attacker's DNS would let it, and nothing else is looked up at all."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "no chromium: tests/tools/install.sh installs it"
    SHOTS.mkdir(parents=True, exist_ok=True)
    rules = "MAP rebound.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    return playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", f"--host-resolver-rules={rules}"])


@contextlib.contextmanager
def opened(browser, **look):
    """A page of its own, of which everything that goes wrong or elsewhere is noted."""
    context = browser.new_context(**look)
    page = context.new_page()
    page.wrong, page.asked = [], []
    page.on("console", lambda message: page.wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("dialog", lambda dialog: (page.wrong.append(dialog.message), dialog.dismiss()))
    yield page
    context.close()


def look_at(test, browser, name, address, is_long=False):
    """A page in every look: nothing that axe-core objects to, nothing wider than the screen, nothing asked of anybody else, nothing that
    the Content-Security-Policy had to stop."""
    for look, options in LOOKS.items():
        with test.subTest(name, look=look), opened(browser, **options) as page:
            response = page.goto(address)
            if response:
                test.assertEqual(response.status, 200)
            page.screenshot(path=SHOTS / f"{name} {look}.png", full_page=not is_long)
            test.assertEqual(page.asked, [address], "nothing else is asked, of anybody")
            test.assertEqual(page.wrong, [])
            wide = page.evaluate("[document.scrollingElement.scrollWidth, window.innerWidth]")
            test.assertLessEqual(wide[0], wide[1], "the page is wider than the screen")
            test.assertEqual(page.locator("script").count(), 0)
            # The page's own policy lets no script in; the tests' comes in beside it.
            page.evaluate(AXE.read_text())
            found = page.evaluate("axe.run()")
            test.assertGreater(len(found["passes"]), 10, "axe-core has looked")
            test.assertEqual([(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]], [])


def press(test, page, name):
    """Goes to a button with the Tab key alone, and presses it with Enter."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.innerText")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        test.assertNotEqual(outline, "none", f"where one is can be seen: {focused}")
        if focused == name:
            break
    else:
        test.fail(f"no way leads to the button {name}")
    with page.expect_navigation():
        page.keyboard.press("Enter")
