"""Pages of other programs than serve, looked at in the same browser: `walk.py console OVERVIEW CASE` and `walk.py page ADDRESS`.

Called by the end to end tests, which start those programs. Ends with status 0 when everything held.
"""

import sys
import unittest

from browser import LOOKS, launch, look_at, opened, press
from playwright.sync_api import sync_playwright

KIND, ADDRESS, *CASE = sys.argv[1:]


class Walk(unittest.TestCase):
    def test_it(self):
        with sync_playwright() as playwright:
            browser = launch(playwright)
            getattr(self, KIND)(browser)
            browser.close()

    def console(self, browser):
        """Looked at, approved with the keyboard alone, and answered once more too late."""
        address = f"{ADDRESS}case/{CASE[0]}"
        look_at(self, browser, "console", ADDRESS)
        look_at(self, browser, "console's case", address)
        with opened(browser, **LOOKS["light"]) as late, opened(browser, **LOOKS["phone"]) as page:
            late.goto(address)
            page.goto(ADDRESS)
            page.click(f'a[href="case/{CASE[0]}"]')
            press(self, page, "Approve")
            self.assertIn("Approved.", page.inner_text("[role=status]"))
            self.assertEqual(page.locator("button:has-text('Approve')").count(), 0)
            late.click("button:has-text('Reject')")
            self.assertIn("had already approved", late.inner_text("[role=status]"))
            self.assertEqual(page.wrong + late.wrong, [])

    def page(self, browser):
        """Looked at: it decides nothing."""
        look_at(self, browser, "signed link", ADDRESS)
        with opened(browser, **LOOKS["light"]) as page:
            page.goto(ADDRESS)
            self.assertEqual(page.locator("form, button, input").count(), 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
