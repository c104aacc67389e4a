"""Balance tables: zero variance, groups, flags and refusals."""

from typing import Any

import numpy as np
import pytest

from wor_eval.design.balance import balance_table
from wor_eval.errors import DesignError


def call(x: Any, **changes: Any) -> Any:
    x = np.asarray(x, dtype=float).reshape(6, -1)
    given: dict[str, Any] = {"treated": [1, 1, 1, 0, 0, 0], "weights": np.ones(6)} | changes
    treated, weights = given.pop("treated"), given.pop("weights")
    given.setdefault("names", [f"x{j}" for j in range(x.shape[1])])
    return balance_table(x, treated, weights, **given)


@pytest.mark.parametrize("value", [0.1, 1e6, 0.0, 1.0])
def test_a_constant_covariate_is_balanced(value: float) -> None:
    found = call([value] * 6)
    assert found.smd.tolist() == [0, 0]
    assert found.ks == pytest.approx([0, 0], abs=1e-15)
    assert not found.flagged.any()


@pytest.mark.parametrize("denominator", ["referred", "pooled"])
def test_different_constants_are_infinitely_far_and_flagged(denominator: Any) -> None:
    found = call([0.1, 0.1, 0.1, 0.3, 0.3, 0.3], denominator=denominator)
    assert found.smd.tolist() == [-np.inf, -np.inf]
    assert found.flagged.all()
    assert found.variance_ratio.tolist() == [1, 1]
    assert "largest inf" in found.summary()


def test_variance_ratio_without_comparison_variance() -> None:
    assert call([1, 2, 3, 2, 2, 2]).variance_ratio.tolist() == [np.inf, np.inf]


def test_one_person_with_all_the_weight_has_no_variance() -> None:
    found = call([1, 2, 3, 2, 4, 5], weights=[1, 1, 1, 1, 0, 0])
    assert np.isnan(found.variance_ratio[1])
    assert found.smd[1] == 0


def test_binary_denominators() -> None:
    x = [1, 1, 0, 0, 0, 1]
    p, q = 2 / 3, 1 / 3
    assert call(x).smd[0] == pytest.approx((p - q) / np.sqrt(p * (1 - p)))
    assert call(x, binary_std="sample").smd[0] == pytest.approx((p - q) / np.std([1, 1, 0], ddof=1))
    assert call(x, denominator="all").smd[0] == pytest.approx((p - q) / 0.5)
    pooled = call(x, denominator="pooled", binary_std="sample").smd[0]
    assert pooled == pytest.approx((p - q) / np.std([1, 1, 0], ddof=1))


def test_threshold_is_a_setting() -> None:
    x = [1, 2, 3, 1.15, 2.15, 3.15]
    assert call(x).flagged.all()
    assert not call(x, threshold=0.2).flagged.any()


def test_rows_and_frame() -> None:
    x = np.column_stack([np.arange(6.0), [0, 1, 0, 1, 0, 1]])
    found = balance_table(
        np.vstack([x, x]),
        [1, 1, 1, 0, 0, 0] * 2,
        np.ones(12),
        names=["age", "female"],
        groups=["18-64"] * 6 + ["65+"] * 6,
    )
    frame = found.to_frame()
    assert frame["group"].unique().tolist() == ["all", "18-64", "65+"]
    assert frame["covariate"].tolist() == ["age", "age", "female", "female"] * 3
    assert frame["sample"].tolist() == ["before", "after"] * 6
    assert repr(found).startswith("BalanceTable (denominator: referred)\nbefore: ")


def test_order_of_persons_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    x, w = rng.integers(0, 5, (60, 2)).astype(float), rng.uniform(0.1, 1, 60)
    t = np.repeat([1, 0], 30)
    order = rng.permutation(60)
    first = balance_table(x, t, w, names=["a", "b"])
    second = balance_table(x[order], t[order], w[order], names=["a", "b"])
    np.testing.assert_allclose(second.ks, first.ks, atol=1e-14)
    np.testing.assert_allclose(second.smd, first.smd, atol=1e-13)


def test_missing_values_are_counted_by_name() -> None:
    x = np.column_stack([np.arange(6.0), [np.nan, 1, np.inf, 2, 3, 4]])
    with pytest.raises(DesignError) as caught:
        call(x, names=["age", "income"])
    assert caught.value.problems == ("income: 2 of 6",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ["a", "b"]}, "one column per name"),
        ({"weights": np.ones(5)}, "weights have shape"),
        ({"weights": [1, 1, 1, 0, 0, 0]}, "nobody has a weight"),
        ({"treated": [1, 0, 0, 0, 0, 0]}, "need 2"),
        ({"groups": ["a", "a", "a", "a", "b", "b"]}, "b, referred: 0 persons"),
        ({"groups": ["a", "a"]}, "groups have shape"),
        ({"groups": ["a", "a", None, "b", "b", "b"]}, "1 of 6 are missing"),
        ({"groups": ["all"] * 6}, "'all'"),
        ({"denominator": "comparison"}, "comparison"),
        ({"binary_std": "none"}, "none"),
    ],
)
def test_refusals(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DesignError, match=message):
        call(np.arange(6.0), **changes)
