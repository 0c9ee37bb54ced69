"""Pages of documentation: links lead somewhere, decisions are numbered, dated and listed."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *PROJECT.glob("*.md"),
        *(
            page
            for folder in ("docs", "models", "macros", "tests", "dbt_packages_local")
            for page in (PROJECT / folder).rglob("*.md")
        ),
    ]
)
DECISIONS = PROJECT / "docs" / "decisions"
PARAGRAPHS = ("Status", "Context", "Decision", "Consequence")


def prose(page: Path) -> str:
    """Text of a page without its blocks of code, whose lines may look like links and headings."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Names by which a link reaches a heading of a page: words in lower case with hyphens between them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    """Links of a page to files or headings that do not exist."""
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", path) or anchor.startswith("!"):  # of the web, or a page within dbt docs
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


def decisions() -> list[Path]:
    """Pages of decisions in the order of their numbers."""
    return sorted(page for page in DECISIONS.glob("*.md") if page.name not in {"README.md", "template.md"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_decisions_are_numbered_in_the_order_of_their_acceptance() -> None:
    assert [page.name[:5] for page in decisions()] == [f"{number:04}-" for number in range(1, len(decisions()) + 1)]
    days = [re.search(r"^\*\*Status\.\*\* .*?(\d{4}-\d{2}-\d{2})", prose(page), re.MULTILINE) for page in decisions()]
    accepted = [date.fromisoformat(day[1]) for day in days if day]
    assert len(accepted) == len(decisions())
    assert accepted == sorted(accepted)


@pytest.mark.parametrize("page", [*decisions(), DECISIONS / "template.md"], ids=lambda page: page.name)
def test_a_decision_has_its_paragraphs(page: Path) -> None:
    text = prose(page)
    assert [name for name in PARAGRAPHS if f"\n**{name}.** " not in text] == []


def test_every_decision_is_listed_with_its_title_and_day() -> None:
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\d{4})\]\((\S+)\) \| (\S+) \| (.*?) \| ", index, re.MULTILINE)
    pages = [(page.name[:4], page.name, *heads(page)) for page in decisions()]
    assert listed == pages


def heads(page: Path) -> tuple[str, str]:
    """Day and title of a decision."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return re.sub(r".*(\d{4}-\d{2}-\d{2}).*", r"\1", lines[2]), lines[0].removeprefix("# ")


def test_the_page_names_every_generic_test() -> None:
    folder = PROJECT / "tests" / "dbt"
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert [test.stem for test in sorted(folder.glob("generic/*.sql")) if f"`{test.stem}`" not in page] == []
