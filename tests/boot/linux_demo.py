#!/usr/bin/env python3
"""A stock kernel to its userland, user-mode Linux inside it to its own userland, a clean power-off, exit code 0."""

import runner


def test(options):
    result = runner.boot(options, "reprise.demo")
    tail = "\n".join(result.console.splitlines()[-25:])
    report = result.report
    for line in ("reprise: guest userland is up", "reprise: nested userland is up", "reprise: demo complete"):
        runner.expect(line in result.console, f"the console never said '{line}'; exit code {result.exit_code}; "
                                              f"messages: {result.messages}; the console ends:\n{tail}")
    runner.expect(result.exit_code == 0, f"exit code {result.exit_code} instead of 0: {result.messages}")
    for word in ("Kernel panic", "BUG:", "Oops", "WARNING: CPU", "unchecked MSR access", "Call Trace"):
        runner.expect(word not in result.console, f"the guest's log holds '{word}':\n" + "\n".join(
            line for line in result.console.splitlines() if word in line))
    for key in ("exit_reason", "exit_code", "instructions", "virtual_ns", "wall_s", "state_hash"):
        runner.expect(key in report, f"the JSON report has no '{key}': {report}")
    runner.expect(report["exit_code"] == 0, f"the JSON report says exit_code {report['exit_code']}")
    runner.expect(report["instructions"] > 100_000_000, f"only {report['instructions']} instructions were counted")
    runner.expect(report["virtual_ns"] > 0, "virtual time did not pass")
    print(f"{report['instructions'] / 1e6:.0f} million instructions, {report['virtual_ns'] / 1e9:.1f} s virtual, "
          f"{report['wall_s']:.1f} s wall, state {report['state_hash']}")


runner.main(test, __doc__)
