"""Labels and their selectors, as Hetzner's description gives them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.clouds.hetzner.fake.errors import ApiError
from rookery.clouds.hetzner.fake.selectors import check_labels, parse_selector

KEYS = ("env", "example.com/my", "just-a-key")
VALUES = ("", "production", "a.b_c-1")
LABELS = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES))
KEY, VALUE = st.sampled_from(KEYS), st.sampled_from(VALUES)


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("env=production,type!=database", {"env": "production"}),
        ("env in (testing,staging)", {"env": "staging"}),
        ("env notin (testing, staging)", {}),
        ("!type", {"env": "production"}),
        ("env", {"env": ""}),
        ("rookery.io/system==demo", {"rookery.io/system": "demo"}),
        ("  ", {}),
    ],
)
def test_what_the_description_says_is_selected(selector: str, selected: Mapping[str, str]) -> None:
    assert parse_selector(selector)(selected)


@pytest.mark.parametrize(
    ("selector", "passed_over"),
    [
        ("env=production,type!=database", {"env": "production", "type": "database"}),
        ("env in (testing,staging)", {}),
        ("env notin (testing,staging)", {"env": "testing"}),
        ("!type", {"type": ""}),
        ("env", {}),
    ],
)
def test_what_it_says_is_not(selector: str, passed_over: Mapping[str, str]) -> None:
    assert not parse_selector(selector)(passed_over)


@given(LABELS, KEY, st.lists(VALUE, min_size=1))
def test_every_expression_is_the_other_way_round_of_its_opposite(
    labels: dict[str, str], key: str, values: list[str]
) -> None:
    among = ",".join(values)
    for expression, opposite in (
        (f"{key}={values[0]}", f"{key}!={values[0]}"),
        (key, f"!{key}"),
        (f"{key} in ({among})", f"{key} notin ({among})"),
    ):
        assert parse_selector(expression)(labels) != parse_selector(opposite)(labels)


@given(LABELS, st.lists(st.tuples(KEY, VALUE), min_size=1, max_size=4))
def test_of_several_all_must_hold(labels: dict[str, str], pairs: list[tuple[str, str]]) -> None:
    whole = parse_selector(",".join(f"{key}=={value}" for key, value in pairs))
    assert whole(labels) == all(labels.get(key) == value for key, value in pairs)


@pytest.mark.parametrize("selector", ["a b", "a=b=c", "=b", "a in b", "a in (b", "a,,b", "a=%", "a" * 1001])
def test_what_is_no_selector_is_refused(selector: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_selector(selector)
    assert caught.value.code == "invalid_input"


@pytest.mark.parametrize(
    "labels",
    [
        {"-a": "b"},
        {"a" * 64: "b"},
        {"A.b/c": "d"},
        {f"{'a.' * 127}a/b": "c"},
        {"hetzner.cloud/a": "b"},
        {"a": "b "},
        {"a": "b" * 64},
        {"a": 1},
    ],
)
def test_labels_that_hetzner_refuses(labels: dict[str, object]) -> None:
    with pytest.raises(ApiError):
        check_labels(labels)


def test_labels_that_hetzner_takes() -> None:
    check_labels({"environment": "prod", "example.com/my": "label", "just-a-key": "", "a" * 63: "B" * 63})
