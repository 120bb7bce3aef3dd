"""Tests of template.yaml: `.tools/bin/python tests/template/template_test.py [-v] [NAME…]`

shape_test   what is declared, in both modes and all partitions, resolved by a strict resolver of our own
rules_test   the event patterns against events that must and must not match, with a matcher of our own
corpus_test  the same against every record of events/triage
powers_test  who may do what, with an evaluator of our own that looks at conditions
grants_test  the same for approvals and grants
local_test   created on a local stand-in for AWS, and events sent through the rules
doctor_test  the same looked at by `trailpass doctor`, which `cargo build -p cli` or the tests have built

Nothing here leaves this machine: the stand-in listens on the loopback, on a port that the system chooses.
"""

import pathlib
import sys
import unittest

# Run as a file from anywhere; and no folders of compiled files in the checkout.
sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

MODULES = ("shape_test", "rules_test", "corpus_test", "powers_test", "grants_test", "local_test", "doctor_test")


def main(arguments):
    """Runs all tests, or those whose names hold one of the words given. The last line counts them."""
    loader = unittest.TestLoader()
    words = [word for word in arguments if not word.startswith("-")]
    if words:
        loader.testNamePatterns = [f"*{word}*" for word in words]
    suite = loader.loadTestsFromNames(MODULES)
    result = unittest.TextTestRunner(verbosity=2 if "-v" in arguments else 1).run(suite)
    # A subtest that fails is listed by itself; what counts is the test that it belongs to.
    broken = {getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors}
    print(f"template: {max(result.testsRun - len(broken), 0)} passed, {len(broken)} failed", flush=True)
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
