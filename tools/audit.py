"""Look up known vulnerabilities of the tested versions: `make audit`.

Runs pip-audit on constraints.txt. Exit status: 0 if nothing is known, and also, with a line that says so, if no
vulnerability service could be reached; 1 for a vulnerability.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"
SERVICES = ("pypi", "osv")
"""Tried in this order: the package index, which not every mirror of it copies in full, then the OSV database."""


def main() -> int:
    """Print what is known; returns the exit status."""
    reasons = []
    for service in SERVICES:
        packages, reason = _ask(service)
        audited = [package for package in packages if "vulns" in package]
        if not audited:
            reasons.append(f"{service}: {reason or 'knows none of the packages'}")
            continue
        found = [(package, vulnerability) for package in audited for vulnerability in package["vulns"]]
        for package, vulnerability in found:
            fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed}")
        for package in packages:
            if "vulns" not in package:
                print(f"not audited: {package['name']} ({package['skip_reason']})")
        print(f"{len(found)} known vulnerabilities in {len(audited)} of {len(packages)} packages (asked {service})")
        return int(bool(found))
    print(f"audit skipped: could not reach a vulnerability service ({'; '.join(reasons)})")
    return 0


def _ask(service: str) -> tuple[list[dict[str, Any]], str]:
    """What a service answered about each package, and the last line of the error if it did not answer."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(CONSTRAINTS), "--no-deps", "--disable-pip"]
    command += ["--vulnerability-service", service, "--format", "json", "--progress-spinner", "off"]
    run = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    try:
        return json.loads(run.stdout)["dependencies"], ""
    except (ValueError, KeyError):
        last = (run.stderr.strip().splitlines() or ["no output"])[-1]
        return [], last if len(last) < 100 else f"{last[:100]}…"


if __name__ == "__main__":
    sys.exit(main())
