"""The pages as people meet them: a real browser, the real `trailpass serve`.

Every page is looked at in light, in dark and on a phone: nothing that axe-core objects to, nothing wider than the screen, nothing asked of
anybody else, nothing that the Content-Security-Policy had to stop. Then cases are answered by mouse, by keyboard, too late, and from where
nobody may. Screenshots are left in target/browser/. Called by `make test`, after cargo's tests have built the program.
"""

import contextlib
import http.server
import json
import pathlib
import subprocess
import tempfile
import threading
import unittest

from browser import LOOKS, ROOT, SHOTS, TARGET, launch, look_at, opened, press
from playwright.sync_api import sync_playwright

PROGRAM = TARGET / "debug/trailpass"


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
        cls.ending = contextlib.ExitStack()
        cls.serve = cls.ending.enter_context(Serve())
        playwright = cls.ending.enter_context(sync_playwright())
        cls.browser = launch(playwright)
        cls.ending.callback(cls.browser.close)
        cases = cls.serve.cases()
        cls.open = [one["case"] for one in cases if one["state"] == "open"]
        cls.alarm = next(one["case"] for one in cases if one["diagnosis"]["response"] == "raise-alarm")
        cls.by_hand = next(one["case"] for one in cases if one["diagnosis"]["response"] == "suggest-fix")
        cls.hostile = next(one["case"] for one in cases if "script" in json.dumps(one["diagnosis"]["principal"]))

    @classmethod
    def tearDownClass(cls):
        cls.ending.close()

    def page(self, **look):
        return opened(self.browser, **look)

    def test_every_page_in_every_look(self):
        case = self.open[0]
        pages = {
            "list": self.serve.origin + "/", "desk": self.serve.desk, "case": f"{self.serve.origin}/case/{case}",
            "case with buttons": f"{self.serve.desk}case/{case}", "alarm": f"{self.serve.desk}case/{self.alarm}",
            "by hand": f"{self.serve.desk}case/{self.by_hand}", "hostile": f"{self.serve.desk}case/{self.hostile}",
        }
        for name, address in pages.items():
            look_at(self, self.browser, name, address, is_long=name in ("list", "desk"))

    def test_the_report_of_a_scan(self):
        """As it is mailed: a file."""
        with tempfile.TemporaryDirectory(prefix="trailpass-browser-") as folder:
            file = pathlib.Path(folder, "report.html")
            subprocess.run([PROGRAM, "scan", "--format", "html", "--output", file, ROOT / "events/triage"], check=True)
            look_at(self, self.browser, "report", file.as_uri())

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
            press(self, page, "Reject")
            self.assertIn("Rejected.", page.inner_text("[role=status]"))
        self.assertEqual(self.serve.state(case), "rejected")

    def test_a_case_is_approved_with_the_keyboard_alone(self):
        case = self.open[4]
        with self.page(**LOOKS["light"]) as page:
            page.goto(f"{self.serve.desk}case/{case}")
            press(self, page, "Approve")
            self.assertIn("Approved.", page.inner_text("[role=status]"))
        self.assertEqual(self.serve.state(case), "approved")

    def test_what_is_shown_no_more_is_not_approved(self):
        """A page of another opening, and one that showed another remedy."""
        case = self.open[5]
        for name, value in (("opening", "2"), ("remedy", "0" * 64)):
            with self.subTest(name), self.page(**LOOKS["light"]) as page:
                page.goto(f"{self.serve.desk}case/{case}")
                page.evaluate("([name, value]) => { document.querySelector(`form.offer input[name=${name}]`).value = value }", [name, value])
                page.click("button:has-text('Approve') >> nth=0")
                self.assertIn("It did not count", page.inner_text("[role=status]"))
                self.assertEqual(self.serve.state(case), "open")

    def test_a_link_in_a_message_leads_to_the_case(self):
        """From another site: what it leads to is seen, and can't be framed."""
        address = f"{self.serve.origin}/case/{self.open[0]}"
        html = f"<a href={address}>the case</a><iframe src={address}></iframe>"

        class Mail(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.end_headers()
                self.wfile.write(html.encode())

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mail) as mail, self.page() as page:
            threading.Thread(target=mail.serve_forever, daemon=True).start()
            with page.expect_response(address) as framed:
                page.goto(f"http://rebound.example:{mail.server_port}/")
            self.assertEqual(framed.value.status, 403)
            with page.expect_response(address) as followed:
                page.click("a")
            self.assertEqual(followed.value.status, 200)
            mail.shutdown()

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
