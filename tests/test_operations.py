"""Dashboard and alert rules query metrics that exist, with functions that fit their types."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import yaml

from errors import ErrorCode
from settings import ROOT
from tests.conftest import REGISTRY, ROUTES

pytestmark = pytest.mark.anyio

DASHBOARD = json.loads((ROOT / "operations/grafana.json").read_text())
ALERTS = [rule for group in yaml.safe_load((ROOT / "operations/alerts.yaml").read_text())["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [
    *((f"{panel['title']}: {target['legendFormat']}", target["expr"]) for panel in PANELS for target in panel["targets"]),
    *((rule["alert"], rule["expr"]) for rule in ALERTS),
]

# Source: https://prometheus.io/docs/prometheus/latest/querying
TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*") | (?P<range>\[(?:\d+[smhd]|\$__rate_interval)\]) | (?P<number>\d+(?:\.\d+)?(?:e\d+)?)
      | (?P<name>[a-zA-Z_:][\w:]*) | (?P<operator>=~|!~|!=|==|>=|<=|[-+*/<>=]) | (?P<mark>[(){},]) | \s+""",
    re.VERBOSE,
)
FUNCTIONS = {"rate", "changes", "sum", "max", "histogram_quantile", "vector"}
OF_THE_SCRAPE = {"job", "instance"}
OVER_TIME = {"rate", "changes"}


class Series(NamedTuple):
    """A series that a query selects: metric, matchers, and the functions around it, innermost last."""

    metric: str
    matchers: dict[str, tuple[str, str]]
    over_time: bool
    around: tuple[str, ...]
    labels_kept: frozenset[str]  # by the innermost aggregation


def tokens_of(query: str) -> list[tuple[str, str]]:
    """Split a query into tokens; anything else fails the test."""
    found, place = [], 0
    while place < len(query):
        match = TOKEN.match(query, place)
        assert match, f"not PromQL: {query[place:]}"
        if match.lastgroup:
            found.append((match.lastgroup, match[0]))
        place = match.end()
    return found


def series_of(query: str) -> Iterator[Series]:
    """Parse the series that a query selects; parentheses have to match."""
    tokens = [*tokens_of(query), ("end", "")]
    open_: list[str] = []  # the function at each open parenthesis, or ""
    kept: list[frozenset[str]] = [frozenset()]
    place = 0
    while tokens[place][0] != "end":
        kind, text = tokens[place]
        place += 1
        if kind == "name" and tokens[place][1] in ("(", "by"):
            assert text in FUNCTIONS, f"{text} is not among FUNCTIONS"
            open_.append(text)
            kept.append(kept[-1])
            if tokens[place][1] == "by":
                end = tokens.index(("mark", ")"), place)
                kept[-1] = frozenset(name for kind_, name in tokens[place + 1 : end] if kind_ == "name")
                place = end + 1
            assert tokens[place][1] == "("
            place += 1
        elif text == "(":
            open_.append("")
            kept.append(kept[-1])
        elif text == ")":
            open_.pop()
            kept.pop()
        elif kind == "name" and text != "or":
            matchers = {}
            if tokens[place][1] == "{":
                end = tokens.index(("mark", "}"), place)
                inside = tokens[place + 1 : end]
                for label, operator, value in zip(inside[::4], inside[1::4], inside[2::4], strict=True):
                    assert (label[0], operator[0], value[0]) == ("name", "operator", "string")
                    matchers[label[1]] = operator[1], json.loads(value[1])
                place = end + 1
            ranged = tokens[place][0] == "range"
            place += ranged
            yield Series(text, matchers, ranged, tuple(filter(None, open_)), kept[-1])
    assert open_ == []


@pytest.fixture
def metrics(state) -> dict[str, tuple[str, frozenset[str], float]]:  # noqa: ARG001 - the lifespan registers most metrics
    """Return for every series its type, its labels, and the largest bucket of a histogram."""
    known: dict[str, tuple[str, frozenset[str], float]] = {"up": ("gauge", frozenset(), 0.0)}
    for family in REGISTRY.collect():
        # The only access to the labels of a metric without samples; process metrics have no labels.
        collector = REGISTRY._names_to_collectors.get(family.name)  # noqa: SLF001
        labels = frozenset(getattr(collector or family, "_labelnames", ()))
        if family.type == "histogram":
            largest = max(bound for bound in vars(collector)["_upper_bounds"] if bound != float("inf"))
            known[f"{family.name}_bucket"] = "bucket", labels | {"le"}, largest
            known[f"{family.name}_count"] = known[f"{family.name}_sum"] = "counter", labels, 0.0
        else:
            known[family.name + "_total" * (family.type == "counter")] = family.type, labels, 0.0
    return known


def test_a_query_is_parsed() -> None:
    (series,) = series_of('histogram_quantile(0.9, sum by (le, x) (rate(a_bucket{b=~"c.*", d="e"}[5m]))) > 2')
    around = ("histogram_quantile", "sum", "rate")
    assert series == Series("a_bucket", {"b": ("=~", "c.*"), "d": ("=", "e")}, True, around, frozenset({"le", "x"}))  # noqa: FBT003
    assert [found.metric for found in series_of("sum(rate(a[1m])) / sum(b) or vector(0)")] == ["a", "b"]
    for wrong in ("sum(a", "a)", "sum(a; b)", "nonsense(a)"):
        with pytest.raises((AssertionError, IndexError)):
            list(series_of(wrong))


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[title for title, _ in QUERIES])
async def test_every_query_fits_the_metrics_of_the_service(title: str, query: str, metrics: Any) -> None:  # noqa: ARG001 - it is the id
    asked = list(series_of(query))
    assert asked
    for series in asked:
        assert series.metric in metrics, series.metric
        kind, labels, largest_bucket = metrics[series.metric]
        assert set(series.matchers) <= labels | OF_THE_SCRAPE, series
        assert series.labels_kept <= labels | OF_THE_SCRAPE, series
        # A counter is meaningful as a rate, a gauge is not; the changes of the start time count the starts.
        assert series.over_time == (bool(series.around) and series.around[-1] in OVER_TIME)
        assert (kind != "gauge") == ("rate" in series.around), series
        assert (kind == "bucket") == ("histogram_quantile" in series.around) == ("le" in series.labels_kept), series
        for label, (operator, value) in series.matchers.items():
            values: dict[str, set[str]] = {
                "route": {route.path for route in ROUTES},
                "error": {*map(str, ErrorCode)},
                "status": {"500", "503", "404"},
            }
            if label in values and operator in ("=", "=~"):
                assert any(re.fullmatch(value, known) for known in values[label]), f"no {label} matches {value}"
        limit = re.search(r"> ([\d.e]+)\s*$", query)
        if kind == "bucket" and limit:
            assert float(limit[1]) < largest_bucket, "a quantile never exceeds the largest bucket"


def test_every_alert_has_a_severity_and_a_description() -> None:
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS) > 8
    for rule in ALERTS:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
        assert rule["labels"] in ({"severity": "page"}, {"severity": "ticket"})
        assert set(rule["annotations"]) == {"summary", "description"}
        named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        kept = {label for series in series_of(rule["expr"]) for label in series.labels_kept}
        assert named <= kept or "sum" not in rule["expr"], f"{rule['alert']} names a label that its sum drops"


def test_every_panel_has_a_description_and_a_place_of_its_own() -> None:
    taken: set[tuple[int, int]] = set()
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?(?!__)(\w+)", json.dumps(DASHBOARD))) <= variables
