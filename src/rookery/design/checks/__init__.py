"""Checks: what is wrong, risky or good to know about a design, before anything runs."""

from rookery.design.checks.document import render_findings_document, render_patterns_document
from rookery.design.checks.finding import Finding, Severity
from rookery.design.checks.table import CHECKS, check_design

__all__ = [
    "CHECKS",
    "Finding",
    "Severity",
    "check_design",
    "render_findings_document",
    "render_patterns_document",
]
