import json

import numpy as np
import pandas as pd
import pytest
from lxml import html

from kit.people import people
from lethe.clinical import scramble_table
from lethe.clinical.anonymity import small_cells, uniqueness
from lethe.clinical.risk import assess, relinked
from lethe.clinical.risk_page import as_risk_page
from lethe.clinical.steps import in_bands, in_groups, one_digit, together
from lethe.errors import Misconfigured, Refused

from .conftest import KEY

PYCANON_K = (16, 1, 148)
LAB = ["glucose", "creatinine", "platelets", "crp"]


def cohort(patients: int) -> pd.DataFrame:
    """Laboratory values as in a stroke cohort: skewed, weakly correlated."""
    rng = np.random.default_rng(11)
    base = rng.normal(size=(patients, 4)) @ np.linalg.cholesky(np.full((4, 4), 0.2) + 0.8 * np.eye(4)).T
    values = np.exp(np.log([6.8, 82, 225, 6]) + base * [0.3, 0.35, 0.3, 0.9])
    columns = {"prid": [f"{n:04X}" for n in range(patients)]}
    for place, (name, digits) in enumerate(zip(LAB, (1, 0, 0, 1), strict=True)):
        columns[name] = [f"{max(v, 1):.{digits}f}" for v in values[:, place]]
    columns["sex"] = rng.choice(["F", "M"], patients).tolist()
    columns["mrs_3m"] = rng.choice(list("0123456"), patients).tolist()
    return pd.DataFrame(columns, dtype=object)


@pytest.mark.requirement("T-15", "M-52", "M-88")
def test_an_informed_attacker_finds_most_of_2500_patients_again_by_four_laboratory_values(dictionary):
    linked = cohort(2500)
    released = scramble_table(linked, dictionary, noise_key=KEY).table
    report = assess(linked, released, dictionary, known=LAB, quasi=["sex", "mrs_3m"])
    assert report.relinked > 0.8
    assert report.guess == 1 / 2500
    shares = {step.name: step.relinked for step in report.steps}
    assert shares["five bands of equal size"] < 0.3 < report.relinked
    assert shares["micro-aggregation of patients in groups of five"] <= 0.2
    assert report.unscrambled >= report.relinked == report.by_known[-1][1]
    assert report.before == report.after  # neither sex nor outcome is scrambled
    json.dumps(report.as_dict())


@pytest.mark.requirement("T-15")
def test_more_known_values_never_protect_better(dictionary):
    linked = cohort(600)
    released = scramble_table(linked, dictionary, noise_key=KEY).table
    shares = [assess(linked, released, dictionary, known=LAB[:n], quasi=[]).relinked for n in (1, 2, 3, 4)]
    assert shares == sorted(shares)
    assert shares[0] < 0.2


def test_an_unscrambled_table_is_fully_linked_and_equal_rows_share_the_chance():
    values = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, np.nan]])
    assert relinked(values, values) == 1.0
    assert relinked(np.ones((4, 2)), np.ones((4, 2))) == pytest.approx(0.25)


def test_uniqueness_counts_groups():
    table = pd.DataFrame({"a": list("xxxxxy"), "b": list("111112")})
    told = uniqueness(table, ["a", "b"])
    assert (told.groups, told.smallest, told.unique, told.small) == (2, 1, 1 / 6, 1 / 6)


def test_further_steps_do_what_they_say():
    values = np.array([0.0, 0.123, 17.0, 95.0, np.nan, -1234.0])
    np.testing.assert_allclose(one_digit(values), [0, 0.1, 20, 100, np.nan, -1000])
    grouped = in_groups(np.arange(10.0))
    assert len(set(grouped)) == 2
    assert grouped.mean() == pytest.approx(4.5)
    assert len(set(in_bands(np.arange(100.0)))) == 5


def test_tables_of_other_patients_and_other_variables_are_refused(dictionary):
    linked = cohort(20)
    with pytest.raises(Refused):
        assess(linked, linked.iloc[:19], dictionary, known=LAB, quasi=[])
    for known in (["sex"], ["nowhere"], []):
        with pytest.raises(Misconfigured):
            assess(linked, linked, dictionary, known=known, quasi=[])
    assert people(1)[0].name not in str(linked)


@pytest.mark.requirement("M-88")
def test_the_counts_are_those_of_the_package_of_the_field():
    # pycanon 1.3.6: k_anonymity of ["sex", "mrs_3m"] and of ["glucose", "sex"] of this cohort
    table = cohort(300)
    assert uniqueness(table, ["sex", "mrs_3m"]).smallest == PYCANON_K[0]
    assert uniqueness(table, ["glucose", "sex"]).smallest == PYCANON_K[1]
    assert uniqueness(table.iloc[:, 5:6], ["sex"]).smallest == PYCANON_K[2]


def test_a_missing_value_is_a_group_of_its_own_and_loses_no_row():
    told = uniqueness(pd.DataFrame({"a": ["x", "x", None, "y"]}), ["a"])
    assert (told.groups, told.unique) == (3, 0.5)


def test_small_cells_are_counted_one_by_one_and_two_by_two(dictionary):
    table = pd.DataFrame({"sex": list("FFFFFFMMMMO"), "side": ["left"] * 10 + ["right"]}, dtype=object)
    found = {one.variables: (one.cells, one.rows) for one in small_cells(table, dictionary, ["sex", "side"])}
    assert found == {("sex",): (2, 5), ("side",): (1, 1), ("sex", "side"): (2, 5)}


def test_micro_aggregated_patients_share_their_row_with_at_least_four_others():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(53, 3))
    values[4, 1] = np.nan
    grouped = together(values)
    _, sizes = np.unique(grouped, axis=0, return_counts=True)
    assert sizes.min() >= 5
    np.testing.assert_allclose(grouped[:, 0].mean(), values[:, 0].mean())
    assert not np.isnan(grouped).any()


@pytest.mark.requirement("M-88", "T-15")
def test_the_page_shows_the_attack_in_pictures_and_holds_no_value(dictionary):
    linked = cohort(120)
    released = scramble_table(linked, dictionary, noise_key=KEY).table
    report = assess(linked, released, dictionary, known=LAB, quasi=["sex", "mrs_3m"])
    page = as_risk_page(report, dictionary.title)
    assert page == as_risk_page(report, dictionary.title)
    assert page.count("<svg") >= 4
    assert "http" not in page
    assert "<script" not in page
    assert f"{report.relinked:.1%}" in page
    assert "micro-aggregation of patients" in page
    html.fromstring(page)
    assert not set(linked["prid"]) & set(page.split())


def test_a_step_on_the_ages_makes_the_groups_larger(dictionary):
    rng = np.random.default_rng(5)
    linked = cohort(200).assign(age=[str(age) for age in rng.integers(40, 89, 200)])
    released = scramble_table(linked, dictionary, noise_key=KEY).table
    report = assess(linked, released, dictionary, known=LAB, quasi=["age", "sex"])
    bands = {step.name: step for step in report.steps}["five bands of equal size"]
    assert bands.after.smallest > report.after.smallest
    assert bands.after.unique < report.after.unique
    assert 0 < bands.loss < 1
