"""The layer table of the design, enforced: imports are read from the source, deferred ones included."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from atleastonce.checks import CHECKS
from atleastonce.faults import FAULTS
from atleastonce.promises import PROMISES

SOURCE = Path(__file__).parents[1] / "src"
LONGEST = 350

LAYERS: dict[str, tuple[str, ...]] = {
    "0 data": (
        "errors durations templates",
        "promises conversion schedule",
        "contract history verdict",
        "contract_problems findings poisons scope",
        "contract_file history_file",
    ),
    "1 pure": (
        "ledger effects attempts packing latency",
        "agreement",
        "checks exploration report",
        "rejudging",
    ),
    "1 edge": (
        "watchdog",
        "recording observe subjects cache",
        "lifetimes transports relay",
        "brokers casting",
    ),
    "2 faults": ("canary faults",),
    "3 cases": (
        "part sights measuring asking readership",
        "layout",
        "write_points",
        "assembly",
        "lane expectation",
        "progress sending heading",
        "standing",
        "actions",
        "runner",
        "replaying",
        "workshop",
    ),
    "4 campaign": ("watching", "site proving lateness", "campaign"),
    "5 entry": ("commands pytest_plugin", "cli", "__main__"),
}
"""A module imports what stands in a layer with a smaller number, or in an earlier line of its own layer."""

ONLY = {"hypothesis": "atleastonce.exploration", "testcontainers": "atleastonce.brokers.docker"}
"""Heavy libraries, and the modules (by the beginning of their names) that may import them."""


def modules(package: str) -> dict[str, Path]:
    """Return the files of a package by module name."""
    found = {}
    for path in sorted((SOURCE / package).rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(source: str) -> Iterator[str]:
    """Yield every name that a source text imports, wherever the statement stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import, line {node.lineno}: name the module in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports() -> dict[str, set[str]]:
    """Return for every module of atleastonce the modules of it that it imports."""
    files = modules("atleastonce")

    def known(name: str) -> str | None:
        while name not in files and "." in name:
            name = name.rpartition(".")[0]
        return name if name in files and name != "atleastonce" else None

    return {
        module: {found for name in imported(path.read_text()) if (found := known(name)) is not None}
        for module, path in files.items()
    }


def place(module: str) -> tuple[str, int]:
    """Return the layer of a module, and its line there; fail for one that has no place."""
    top = module.split(".")[1]
    for layer, lines in LAYERS.items():
        for number, line in enumerate(lines):
            if top in line.split():
                return layer, number
    pytest.fail(f"{module} has no place in the layer table of tests/test_architecture.py; give `{top}` one")


def goes_down(module: str, target: str) -> bool:
    """Tell whether an import goes down, or stays inside a package."""
    if module.split(".")[1] == target.split(".")[1]:
        return True
    (layer, line), (lower, lower_line) = place(module), place(target)
    return lower_line < line if layer == lower else lower[0] < layer[0]


def test_imports_go_down() -> None:
    """No module imports one above it, and nothing pure imports what touches the world."""
    wrong = [
        f"{module} imports {target}"
        for module, targets in imports().items()
        for target in sorted(targets)
        if module != "atleastonce" and not goes_down(module, target)
    ]
    assert wrong == []


def test_every_module_has_a_place() -> None:
    """A new module is put into the table, and the table names none that is gone."""
    tops = {module.split(".")[1] for module in modules("atleastonce") if module != "atleastonce"}
    listed = {name for lines in LAYERS.values() for line in lines for name in line.split()}
    assert (sorted(tops - listed), sorted(listed - tops)) == ([], [])


def test_no_import_cycles() -> None:
    """Not even between the modules of one package; a cycle is printed as it runs."""
    try:
        TopologicalSorter(imports()).prepare()
    except CycleError as exc:
        pytest.fail(" -> ".join(exc.args[1]))


@pytest.mark.parametrize("library", ONLY)
def test_heavy_library_has_one_importer(library: str) -> None:
    """Everything else works, and starts, without it."""
    importers = {
        module
        for package in ("atleastonce", "campus_food")
        for module, path in modules(package).items()
        for name in imported(path.read_text())
        if name.split(".")[0] == library
    }
    assert [module for module in sorted(importers) if not module.startswith(ONLY[library])] == []


def test_reference_services_do_not_know_their_judge() -> None:
    """A subject that imports its judge is no black box."""
    wrong = [
        f"{module} imports {name}"
        for module, path in modules("campus_food").items()
        for name in imported(path.read_text())
        if name.split(".")[0] == "atleastonce"
    ]
    assert wrong == []


def test_checks_are_registered_promises() -> None:
    """Each check module judges the promise of its name, and each is in the registry."""
    files = {path.stem for path in (SOURCE / "atleastonce/checks").glob("*.py")} - {
        "__init__",
        "case",
        "settling",
        "signs",
        "totals",
    }
    assert set(CHECKS) <= set(PROMISES)
    assert {name.replace("-", "_") for name in CHECKS} == files
    for name, check in CHECKS.items():
        assert check.__module__ == f"atleastonce.checks.{name.replace('-', '_')}"


def test_faults_are_registered() -> None:
    """Each fault module carries out the fault of its name, and each is in the registry."""
    files = {path.stem for path in (SOURCE / "atleastonce/faults").glob("*.py")} - {"__init__", "scene"}
    assert {name.replace("-", "_") for name in FAULTS} == files


def test_no_module_is_too_long() -> None:
    """A module that is longer has two subjects."""
    files = [path for package in ("atleastonce", "campus_food") for path in modules(package).values()]
    lengths = {str(path.relative_to(SOURCE)): len(path.read_text().splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_deferred_imports_are_read() -> None:
    """An import inside a function, or for the type checker only, is an import."""
    source = "import a.b\nfrom c import d\ndef f():\n    from e import g\nif TYPE_CHECKING:\n    import h"
    assert sorted(imported(source)) == ["a.b", "c.d", "e.g", "h"]


@pytest.mark.parametrize(
    ("module", "target", "allowed"),
    [
        ("atleastonce.checks.case", "atleastonce.history", True),
        ("atleastonce.checks.case", "atleastonce.checks", True),
        ("atleastonce.contract", "atleastonce.promises", True),
        ("atleastonce.promises", "atleastonce.contract", False),
        ("atleastonce.checks.case", "atleastonce.relay.codec", False),
        ("atleastonce.relay.codec", "atleastonce.effects", False),
        ("atleastonce.relay.codec", "atleastonce.transports", False),
        ("atleastonce.history", "atleastonce.campaign", False),
    ],
)
def test_the_rule_itself(module: str, target: str, allowed: bool) -> None:
    """Down or inside a package; neither up, nor sideways, nor between pure and edge."""
    assert goes_down(module, target) is allowed
