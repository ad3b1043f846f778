"""What Prometheus reads."""

from readycheck.render.exposition import Family, expose, open_metrics

FAMILIES = [
    Family("runs_total", "Runs.", [({}, 3)], "counter"),
    Family("score", "A score.", [({"site": 'a "b" \\ c\nd'}, 49.5), ({"site": "e"}, 1e-9)]),
    Family("empty", "Nothing.", []),
]


def test_the_text_format() -> None:
    assert expose(FAMILIES, "x_", {"profile": "p"}) == (
        "# HELP x_runs_total Runs.\n"
        "# TYPE x_runs_total counter\n"
        'x_runs_total{profile="p"} 3\n'
        "# HELP x_score A score.\n"
        "# TYPE x_score gauge\n"
        'x_score{profile="p",site="a \\"b\\" \\\\ c d"} 49.5\n'
        'x_score{profile="p",site="e"} 1e-09\n'
    )


def test_without_labels_there_are_no_braces() -> None:
    assert expose(FAMILIES[:1], "x_").endswith("\nx_runs_total 3\n")


def test_openmetrics_declares_a_counter_without_its_ending_and_marks_the_end() -> None:
    text = open_metrics(expose(FAMILIES, "x_"))
    assert text.startswith("# HELP x_runs Runs.\n# TYPE x_runs counter\nx_runs_total 3\n# HELP x_score")
    assert text.endswith("e-09\n# EOF\n")
    assert open_metrics(text) == text


def test_the_same_series_is_written_once() -> None:
    twice = Family("score", "A score.", [({"site": "a\tb"}, 1), ({"site": "a b"}, 2)])
    assert expose([twice], "x_").splitlines()[2:] == ['x_score{site="a b"} 2']
