"""Reading tables: good ones give their numbers, every defect gives one line that names the place."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optlab.data.tables import Design, Table, read_table
from optlab.errors import InputError

DIABETES = Path(__file__).parents[2] / "examples" / "data" / "diabetes.csv"


def write(folder, data):
    path = folder / "table.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_the_example_table_against_numpy():
    table = read_table(DIABETES, "progression")
    expected = np.genfromtxt(DIABETES, delimiter=",", skip_header=1)
    assert table.features.shape == (442, 10)
    np.testing.assert_array_equal(np.c_[table.features, table.target], expected)
    assert table.names[0] == "age"
    assert table.names[-1] == "glucose"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_delimiters_line_ends_and_byte_order_marks(tmp_path, delimiter, end, mark):
    lines = ['" a "', "y", "b"], ["1", "2", " 3e1 "], ["-4", "5.5", "6"], [""]
    table = read_table(write(tmp_path, mark + end.join(delimiter.join(line) for line in lines)), "y")
    assert table.names == ("a", "b")
    np.testing.assert_array_equal(table.features, [[1, 30], [-4, 6]])
    np.testing.assert_array_equal(table.target, [2, 5.5])


def test_chosen_columns_leave_text_alone(tmp_path):
    table = read_table(write(tmp_path, "who,a,b,y\nann,1,5,2\nbob,3,7,4\n"), "y", columns=["b", "a"])
    assert table.names == ("b", "a")
    np.testing.assert_array_equal(table.features, [[5, 1], [7, 3]])


def test_dropping_missing_rows_is_counted(tmp_path):
    data = "a,y\n1,2\n,3\nNA,4\n5,nan\n6,inf\n7,1e999\n8,9\n"
    table = read_table(write(tmp_path, data), "y", drop_missing=True)
    assert table.dropped == 5
    np.testing.assert_array_equal(table.features[:, 0], [1, 8])


BAD = {
    "empty file": (b"", ["empty", "header"]),
    "only blank lines": ("\n\n  \n", ["empty"]),
    "header only": ("a,y\n", ["no row"]),
    "missing target": ("a,progresion\n1,2\n3,4\n", ["'y'", "'progresion'"]),
    "near miss": ("a,yy\n1,2\n3,4\n", ["did you mean 'yy'?"]),
    "no header": ("1,2\n3,4\n5,6\n", ["'y'", "header line missing"]),
    "duplicate names": ("a,y,a\n1,2,3\n4,5,6\n", ["line 1", "columns 1 and 3", "'a'"]),
    "duplicate target": ("y,y\n1,2\n4,5\n", ["columns 1 and 2", "'y'"]),
    "empty name": ("a,,y\n1,2,3\n4,5,6\n", ["line 1", "column 2", "empty name"]),
    "text cell": ("a,y\n1,2\nblue,4\n", ["line 3", "column 'a'", "'blue'"]),
    "text in the target": ("a,y\n1,2\n3,high\n", ["line 3", "column 'y'", "'high'"]),
    "decimal comma": ("a;y\n1;2\n3,5;4\n", ["line 3", "column 'a'", "decimal point"]),
    "underscore": ("a,y\n1_0,2\n3,4\n", ["line 2", "column 'a'", "'1_0'"]),
    "NaN": ("a,y\n1,2\nNaN,4\n", ["line 3", "column 'a'", "--drop-missing"]),
    "infinity": ("a,y\n1,2\n3,-inf\n", ["line 3", "column 'y'", "--drop-missing"]),
    "overflow": ("a,y\n1,2\n3,1e999\n", ["line 3", "column 'y'", "finite"]),
    "empty cell": ("a,y\n1,2\n\n3,\n", ["line 4", "column 'y'", "empty", "drop_missing"]),
    "short row": ("a,b,y\n1,2,3\n4,5\n", ["line 3", "2 cells", "3"]),
    "long row": ("a,y\n1,2\n3,4,5\n", ["line 3", "3 cells", "2"]),
    "row after a quoted line break": ('"a\nb",y\n1,2\n3\n', ["line 4", "1 cells"]),
    "constant feature": ("a,b,y\n1,7,2\n3,7,4\n", ["column 'b'", "7 in every row", "intercept"]),
    "constant target": ("a,y\n1,7\n3,7\n", ["column 'y'", "7 in every row"]),
    "one row": ("a,y\n1,2\n", ["only one row"]),
    "target alone": ("y\n1\n2\n", ["'y'", "only column"]),
    "not UTF-8": (b"a,y\n1,2\n\xff\xe9,3\n", ["line 3", "UTF-8"]),
    "NUL": (b"a,y\n1,2\n\x00,3\n", ["line 3", "NUL"]),
    "UTF-16": ("a,y\n1,2\n".encode("utf-16"), ["UTF-16"]),
    "spreadsheet": (b"PK\x03\x04\x14\x00\x06\x00", ["spreadsheet"]),
    "open quotation mark": ('a,y\n1,2\n"3,4\n', ["line 3", "quotation"]),
    "too small a spread": ("a,y\n0,1\n1e-200,2\n", ["column 'a'", "float64"]),
    "too large a spread": ("a,y\n-1e308,1\n1.5e308,2\n", ["column 'a'", "float64"]),
}


def one_line(path, *args, **options):
    with pytest.raises(InputError) as caught:
        read_table(path, *args, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert "\r" not in message
    return message


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_name_the_place_in_one_line(tmp_path, name):
    data, words = BAD[name]
    path = write(tmp_path, data)
    message = one_line(path, "y")
    assert str(path) in message
    for word in words:
        assert word in message


def test_dropping_does_not_excuse_text_and_says_when_nothing_is_left(tmp_path):
    assert "'blue' is text" in one_line(write(tmp_path, "a,y\n1,2\nblue,4\n"), "y", drop_missing=True)
    assert "no row is left after dropping 2" in one_line(write(tmp_path, "a,y\n,2\n3,\n"), "y", drop_missing=True)
    assert "only one row of numbers after dropping 1" in one_line(write(tmp_path, "a,y\n,2\n3,4\n"), "y", drop_missing=True)


MIXED = "city,a,b,street,y\n" + "".join(f"x{k},{k % 7},{k % 5},z,{k % 3}\n" for k in range(9))


def test_a_text_column_is_left_out_by_a_line_to_copy(tmp_path):
    path = write(tmp_path, MIXED)
    message = one_line(path, "y")
    assert "line 2, column 'city': 'x0' is text, not a number; leave out 'city', 'street': --columns a,b " in message
    assert read_table(path, "y", columns=["a", "b"]).names == ("a", "b")
    assert "leave it out: --columns a,b " in one_line(write(tmp_path, MIXED), "y", columns=["a", "street", "b"])
    assert "no other feature is numbers" in one_line(write(tmp_path, MIXED), "y", columns=["city", "street"])


def test_a_cell_of_text_among_numbers_is_a_slip_of_that_cell(tmp_path):
    assert "give a number, or leave the column out" in one_line(
        write(tmp_path, MIXED.replace("x3,3,", "x3,three,")), "y", columns=["a", "b"]
    )


def test_a_target_of_words_is_to_be_numbers(tmp_path):
    text = MIXED.replace(",z,0", ",z,no").replace(",z,1", ",z,yes").replace(",z,2", ",z,yes")
    message = one_line(write(tmp_path, text), "y", columns=["a", "b"])
    assert "'no' is text, not a number, and it is the target ('no', 'yes'); write it as numbers, such as 0 and 1" in message


def test_rows_with_missing_cells_are_counted(tmp_path):
    text = MIXED.replace("x3,3,3", "x3,NA,").replace("x8,1,3", "x8,1,")
    assert text.count("NA") == 1
    message = one_line(write(tmp_path, text), "y", columns=["a", "b"])
    assert "line 5, column 'a': NA is no number" in message
    assert message.endswith("(--drop-missing): 2 of 9 rows")
    assert read_table(write(tmp_path, text), "y", columns=["a", "b"], drop_missing=True).dropped == 2


def test_paths_that_are_no_files(tmp_path):
    assert "no such file" in one_line(tmp_path / "absent.csv", "y")
    assert "folder" in one_line(tmp_path, "y")
    assert "cannot" in one_line("a\x00b", "y")
    assert "no path" in one_line(3, "y")
    assert "folder" in one_line("", "y")
    assert "'age'" in one_line(DIABETES, None)


def test_chosen_columns_are_checked():
    assert "did you mean 'bmi'?" in one_line(DIABETES, "progression", columns=["bmj"])
    assert "chosen twice" in one_line(DIABETES, "progression", columns=["bmi", "bmi"])
    assert "chosen twice" in one_line(DIABETES, "progression", columns=["progression"])
    assert "feature" in one_line(DIABETES, "progression", columns=[])


CELLS = st.sampled_from(["1", "2.5", "-3", "", "NA", "x", '"', "1e400", " 4", "\u0663", "a", "y", "1_0", "1,5", "\x0c", "\u2028"])
SHAPED = st.lists(st.lists(CELLS, max_size=4), max_size=6).map(lambda rows: "a,b,y\n" + "\n".join(",".join(row) for row in rows))


@given(st.one_of(st.binary(max_size=80), st.text(max_size=80), SHAPED), st.booleans())
def test_whatever_the_bytes_a_table_or_one_line(data, drop_missing):
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
        try:
            table = read_table(path, "y", drop_missing=drop_missing)
        except InputError as error:
            lines, table = str(error).splitlines(), None
    assert table is not None or len(lines) == 1
    if table is not None:
        assert table.n >= 2
        assert np.isfinite(Design.of(table, True).X).all()


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_the_names_one_line(path, target):
    with pytest.raises(InputError) as caught:
        read_table(f"absent-folder/{path}", target)
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(InputError) as caught:
        read_table(DIABETES, f"no {target}")
    assert len(str(caught.value).splitlines()) == 1


def test_tables_made_in_python_are_checked():
    x, y = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([1.0, 2.0])
    for arguments, word in [
        ((x, y, ("a",), "y"), "shapes"),
        ((x, y[:1], ("a", "b"), "y"), "shapes"),
        ((x[:, :0], y, (), "y"), "only column"),
        ((x * [1, np.nan], y, ("a", "b"), "y"), "column 'b'"),
        ((x * [0, 1], y, ("a", "b"), "y"), "column 'a'"),
    ]:
        with pytest.raises(InputError, match=word):
            Table(*arguments)


@pytest.mark.parametrize("standardize", [False, True])
def test_the_linear_model_and_the_way_back(standardize):
    table = read_table(DIABETES, "progression")
    design = Design.of(table, standardize)
    assert design.names[-1] == "(intercept)"
    if standardize:
        np.testing.assert_allclose(design.X[:, :-1].mean(0), 0, atol=1e-13)
        np.testing.assert_allclose(design.X[:, :-1].std(0), 1, rtol=1e-13)
        assert abs(design.y.mean()) < 1e-10
    ones = np.c_[table.features, np.ones(table.n)]
    expected = np.linalg.lstsq(ones, table.target, rcond=None)[0]
    np.testing.assert_allclose(list(design.to_raw(design.factors()[1]).values()), expected, rtol=1e-9)
    theta = np.arange(11.0)
    raw = np.array(list(design.to_raw(theta).values()))
    np.testing.assert_allclose(ones @ raw, design.X @ theta + design.target_center, rtol=1e-9, atol=1e-9)


def test_huge_numbers_need_standardizing():
    table = Table(np.array([[1e40], [2e40], [4e40]]), np.array([1.0, 2.0, 3.0]), ("a",), "y")
    with pytest.raises(InputError, match=r"column 'a'.*standardize"):
        Design.of(table, False)
    assert np.abs(Design.of(table, True).X).max() < 2
    with pytest.raises(InputError, match="column 'y'"):
        Design.of(Table(table.features, table.target * 1e40, ("a",), "y"), True)
