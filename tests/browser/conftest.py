"""A real Chromium, a running API with its console, and the provider that signs people in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from dev.servers.identity import Provider, provider
from tests.admin_api import AdminApi, auth_settings, running
from tests.postgres import TestDatabase, bo, postgres
from tests.spark import skip_or_fail

__all__ = ["bo", "postgres"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The Chromium of the machine; the test is skipped by name where there is none.

    Playwright keeps an event loop in this thread as long as it runs, so it ends before other modules want one.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        skip_or_fail("the console's pages need a Chromium: no chromium on the path")
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=options)
        yield browser
        browser.close()


@pytest.fixture
def identity() -> Iterator[Provider]:
    with provider() as identity_provider:
        yield identity_provider


@pytest.fixture
def api(bo: TestDatabase, identity: Provider) -> Iterator[AdminApi]:
    with running(bo, auth_settings(identity), signed_in_by=identity) as api:
        yield api


@pytest.fixture
def complaints() -> list[str]:
    """What the content security policy kept out; nothing may be left at the end of a test."""
    return []


@pytest.fixture
def page(chromium: Browser, complaints: list[str]) -> Iterator[Page]:
    """A page of a new browser without scripts."""
    context = chromium.new_context(java_script_enabled=False)
    new_page = context.new_page()

    def listen(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            complaints.append(message.text)

    new_page.on("console", listen)
    yield new_page
    context.close()
    assert complaints == []
