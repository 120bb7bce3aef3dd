"""The pages as people meet them: a real browser, the real `trailpass serve`.

Every page is looked at in light, in dark and on a phone: nothing that axe-core objects to, nothing wider than the screen, nothing asked of
anybody else, nothing that the Content-Security-Policy had to stop. Then cases are answered by mouse, by keyboard, too late, and from where
nobody may. Screenshots are left in target/browser/. Called by `make test`, after cargo's tests have built the program.
"""

import contextlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import unittest

import axe_playwright_python
from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAM = TARGET / "debug/trailpass"
SHOTS = TARGET / "browser"
AXE = pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js"
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True},
    "dark phone": {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True},
}


class Serve:
    """A running serve on a folder of its own, with every sample event played."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="trailpass-browser-")
        data = f"{self.folder.name}/data"
        self.said = open(f"{self.folder.name}/err", "w+")
        command = [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--data", data, "--events", ROOT / "events/triage"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if line.startswith("Watching"):
                break
        else:
            raise AssertionError("serve ended before it listened")
        # Whatever it says later must have somewhere to go.
        threading.Thread(target=lambda: [None for _ in self.process.stderr], daemon=True).start()
        running = json.loads(pathlib.Path(data, "serve.json").read_text())
        self.data, self.origin = data, f"http://{running['address']}"
        self.desk = f"{self.origin}/with/{running['token']}/"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stderr.close()
        self.said.close()
        self.folder.cleanup()

    def cases(self):
        out = subprocess.run([PROGRAM, "cases", "--format", "json", "--data", self.data], capture_output=True, text=True, check=True)
        return [json.loads(line) for line in out.stdout.splitlines()]

    def state(self, case):
        return next(one["state"] for one in self.cases() if one["case"] == case)


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        assert chromium, "no chromium: tests/tools/install.sh installs it"
        SHOTS.mkdir(parents=True, exist_ok=True)
        cls.ending = contextlib.ExitStack()
        cls.serve = cls.ending.enter_context(Serve())
        playwright = cls.ending.enter_context(sync_playwright())
        # A name that an attacker's DNS would let point here; nothing else is looked up at all.
        rules = "MAP rebound.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        cls.browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", f"--host-resolver-rules={rules}"])
        cls.ending.callback(cls.browser.close)
        cases = cls.serve.cases()
        cls.open = [one["case"] for one in cases if one["state"] == "open"]
        cls.alarm = next(one["case"] for one in cases if one["diagnosis"]["response"] == "raise-alarm")
        cls.by_hand = next(one["case"] for one in cases if one["diagnosis"]["response"] == "suggest-fix")
        cls.hostile = next(one["case"] for one in cases if "script" in json.dumps(one["diagnosis"]["principal"]))

    @classmethod
    def tearDownClass(cls):
        cls.ending.close()

    @contextlib.contextmanager
    def page(self, **look):
        """A page of its own, of which everything that goes wrong or elsewhere is noted."""
        context = self.browser.new_context(**look)
        page = context.new_page()
        page.wrong, page.asked = [], []
        page.on("console", lambda message: page.wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("dialog", lambda dialog: (page.wrong.append(dialog.message), dialog.dismiss()))
        yield page
        context.close()

    def test_every_page_in_every_look(self):
        case = self.open[0]
        pages = {
            "list": self.serve.origin + "/", "desk": self.serve.desk, "case": f"{self.serve.origin}/case/{case}",
            "case with buttons": f"{self.serve.desk}case/{case}", "alarm": f"{self.serve.desk}case/{self.alarm}",
            "by hand": f"{self.serve.desk}case/{self.by_hand}", "hostile": f"{self.serve.desk}case/{self.hostile}",
        }
        for look, options in LOOKS.items():
            for name, address in pages.items():
                with self.subTest(name, look=look), self.page(**options) as page:
                    self.assertEqual(page.goto(address).status, 200)
                    page.screenshot(path=SHOTS / f"{name} {look}.png", full_page=name != "list" and name != "desk")
                    self.assertEqual(page.asked, [address], "nothing else is asked, of anybody")
                    self.assertEqual(page.wrong, [])
                    wide = page.evaluate("[document.scrollingElement.scrollWidth, window.innerWidth]")
                    self.assertLessEqual(wide[0], wide[1], "the page is wider than the screen")
                    self.assertEqual(page.locator("script").count(), 0)
                    # The page's own policy lets no script in; the tests' comes in beside it.
                    page.evaluate(AXE.read_text())
                    found = page.evaluate("axe.run()")
                    self.assertGreater(len(found["passes"]), 10, "axe-core has looked")
                    self.assertEqual([(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]], [])

    def test_a_case_is_approved_and_whoever_comes_second_is_told(self):
        case = self.open[1]
        address = f"{self.serve.desk}case/{case}"
        with self.page(**LOOKS["light"]) as late, self.page(**LOOKS["phone"]) as page:
            late.goto(address)
            page.goto(self.serve.desk)
            page.click(f'a[href="case/{case}"]')
            page.select_option("select >> nth=0", "15")
            page.click("button:has-text('Approve') >> nth=0")
            self.assertIn("Approved.", page.inner_text("[role=status]"))
            self.assertEqual(page.locator("button:has-text('Approve')").count(), 0)
            self.assertEqual(page.wrong, [])
            late.click("button:has-text('Reject')")
            self.assertIn("had already approved", late.inner_text("[role=status]"))
            self.assertEqual(self.serve.state(case), "approved")
            page.goto(address)
            page.click("button:has-text('Take it back now')")
            self.assertIn("taken back", page.inner_text("[role=status]"))
            page.screenshot(path=SHOTS / "taken back phone.png", full_page=True)
        self.assertEqual(self.serve.state(case), "revoked")

    def test_a_case_is_rejected_with_the_keyboard_alone(self):
        case = self.open[2]
        with self.page(**LOOKS["light"]) as page:
            page.goto(f"{self.serve.desk}case/{case}")
            for _ in range(40):
                page.keyboard.press("Tab")
                focused = page.evaluate("document.activeElement.innerText")
                outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                self.assertNotEqual(outline, "none", f"where one is can be seen: {focused}")
                if focused == "Reject":
                    break
            else:
                self.fail("no way leads to the button")
            with page.expect_navigation():
                page.keyboard.press("Enter")
            self.assertIn("Rejected.", page.inner_text("[role=status]"))
        self.assertEqual(self.serve.state(case), "rejected")

    def test_a_page_of_another_site_answers_nothing(self):
        """Even one that has somehow come to know the address."""
        case = self.open[3]
        form = f"""<form method=post action="{self.serve.desk}case/{case}"><input name=answer value=reject><input name=opening value=1><button>A kitten</button></form>"""

        class Evil(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.end_headers()
                self.wfile.write(form.encode())

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Evil) as evil, self.page() as page:
            threading.Thread(target=evil.serve_forever, daemon=True).start()
            for host in (f"127.0.0.1:{evil.server_port}", f"rebound.example:{evil.server_port}"):
                with self.subTest(host):
                    page.goto(f"http://{host}/")
                    with page.expect_response(lambda response: response.request.method == "POST") as sent:
                        page.click("button")
                    self.assertEqual(sent.value.status, 403)
            evil.shutdown()
        self.assertEqual(self.serve.state(case), "open")

    def test_a_name_that_was_made_to_point_here_sees_nothing(self):
        port = self.serve.origin.rsplit(":", 1)[1]
        with self.page() as page:
            for path in ("/", self.serve.desk.removeprefix(self.serve.origin), f"/case/{self.open[0]}"):
                response = page.goto(f"http://rebound.example:{port}{path}")
                self.assertEqual(response.status, 421, path)
                self.assertNotIn("Trailpass", page.content())


if __name__ == "__main__":
    unittest.main()
