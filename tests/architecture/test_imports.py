"""The import graph: arrows point one way, features form no circle, and rules know nothing of the web."""

from __future__ import annotations

from collections import defaultdict
from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

LAYERS = ["fanyong", "tenants", "plugins"]
# The application is put together in one place, and that place alone looks down.
LOOKS_DOWN = {"fanyong.app"}
DEVELOPER_TOOLS = "fanyong.devtools"


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Give the graph of every import in the sources, those inside functions included."""
    return grimp.build_graph(*LAYERS, include_external_packages=True, cache_dir=None)


def layer_of(module: str) -> str:
    """Return the top-level package of a module."""
    return module.partition(".")[0]


def backward_arrows(graph: grimp.ImportGraph) -> list[str]:
    """Return the imports that point from a lower layer to a higher one."""
    return [
        f"{importer} -> {imported}"
        for importer in sorted(graph.modules)
        if layer_of(importer) in LAYERS and importer not in LOOKS_DOWN
        for imported in sorted(graph.find_modules_directly_imported_by(importer))
        if layer_of(imported) in LAYERS[LAYERS.index(layer_of(importer)) + 1 :]
    ]


def feature_imports(graph: grimp.ImportGraph) -> dict[str, set[str]]:
    """Return which feature of a brand imports which others."""
    found: dict[str, set[str]] = defaultdict(set)
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            ends = [module.split(".") for module in (importer, imported)]
            if all(parts[0] == "tenants" and len(parts) > 1 for parts in ends) and ends[0][1] != ends[1][1]:
                found[ends[0][1]].add(ends[1][1])
    return found


def test_arrows_point_one_way(graph: grimp.ImportGraph) -> None:
    assert backward_arrows(graph) == []


def test_a_backward_arrow_is_seen(graph: grimp.ImportGraph) -> None:
    wrong = grimp.ImportGraph()
    wrong.add_import(importer="fanyong.ids", imported="tenants.orders.models")
    wrong.add_import(importer="fanyong.app", imported="tenants.orders.models")
    assert backward_arrows(wrong) == ["fanyong.ids -> tenants.orders.models"]


def test_features_form_no_circle(graph: grimp.ImportGraph) -> None:
    try:
        TopologicalSorter(feature_imports(graph)).prepare()
    except CycleError as circle:
        pytest.fail(f"features import each other in a circle: {' -> '.join(circle.args[1])}")


def test_the_ledger_and_the_members_stand_on_the_ground(graph: grimp.ImportGraph) -> None:
    imports = feature_imports(graph)
    assert imports.get("ledger", set()) == set()
    assert imports.get("members", set()) == set()
    assert "orders" not in imports.get("commissions", set())


def test_services_import_no_flask(graph: grimp.ImportGraph) -> None:
    guilty = [
        module
        for module in graph.modules
        if module.startswith("tenants.")
        and module.endswith(".service")
        and "flask" in graph.find_modules_directly_imported_by(module)
    ]
    assert guilty == []


def test_the_product_does_not_know_its_developer_tools(graph: grimp.ImportGraph) -> None:
    inside = graph.find_descendants(DEVELOPER_TOOLS) | {DEVELOPER_TOOLS}
    users = {importer for module in inside for importer in graph.find_modules_that_directly_import(module) - inside}
    assert users == set()
