"""Tables that nothing can be learnt from, through the whole command."""

from __future__ import annotations

import gzip
import json

import pytest

ROWS = "".join(f"{row % 37},{'ab'[row % 2]},{row * 7 % 5 > 1}\n" for row in range(60))
GOOD = f"x,k,target\n{ROWS}"
LINES = "".join(json.dumps({"x": 10**400 if row == 3 else row, "target": row % 2}) + "\n" for row in range(60))

MALFORMED = [
    ("t.csv", "", (), 1, "t.csv: is empty"),
    ("t.csv", "<html><body><p>404 not found</p></body></html>\n", (), 1, "t.csv: has columns but no rows"),
    ("t.csv", GOOD + "1,a,True,more\n", (), 1, "t.csv: line 62 has 4 fields where 3 are expected"),
    ("t.csv", GOOD.encode("utf-16"), (), 1, "t.csv: line 1 (byte 0xff) is not utf-8 text; set data.encoding=utf-16"),
    ("t.csv.zip", GOOD, (), 1, "t.csv.zip: cannot be read: File is not a zip file"),
    ("t.csv.gz", gzip.compress(GOOD.encode())[:-9], (), 1, "t.csv.gz: cannot be read: Compressed file ended"),
    ("t.jsonl", '{"a":' + "[" * 200_000, (), 1, "t.jsonl: line 1 is nested too deeply"),
    ("t.jsonl", LINES, (), 1, f"the rows do not fit the contract: column 'x', row 4: 1{'0' * 59}... is not a number"),
    ("t.parquet", "PAR1xxxxPAR1", (), 1, "t.parquet: is no readable Parquet file"),
    ("t.csv", "target\n0\n1\n", (), 1, "no column is left for a model: the table has the target alone"),
    ("t.csv", "x,target\n" + "1,0\n1,1\n" * 9, (), 1, "no column is left for a model: 'x' is constant: always 1"),
    ("t.csv", "x,target\n1,0\n2,0\n", (), 1, "the target 'target' has the one value 0"),
    ("t.csv", "x,target\n1,0.5\n2,inf\n3,1.5\n", (), 1, "the target 'target', row 2: is infinite"),
    (
        "t.csv",
        GOOD,
        ("data.task=regression", "data.target=k"),
        2,
        "data.task: is regression, but column 'k', row 1: 'a'",
    ),
    ("t.csv", GOOD, ("data.positive=maybe",), 2, "data.positive: 'maybe' is no class; there is 'False', 'True'"),
    ("t.csv", GOOD, ("data.encoding=klingon",), 2, "data.encoding: 'klingon' is no known encoding"),
    ("t.csv", GOOD, ("data.kinds={k: datetime}",), 1, "the rows do not fit the contract: column 'k', row 1: 'a'"),
    ("t.csv", GOOD, ("data.drop=[kk]",), 1, "data.drop: the table has no column 'kk'; did you mean 'k'?"),
    ("t.csv", GOOD, ("data.contract=t.csv",), 1, "t.csv: the contract is not JSON: "),
    ("t.csv", GOOD, ("data.path=foo://t.csv",), 1, "foo://t.csv: cannot be read: Protocol not known: foo"),
    ("t.csv", GOOD, ("data.path=.",), 1, ".: is a folder without Parquet files; name the file in it"),
]


@pytest.mark.parametrize(("name", "content", "overrides", "code", "sentence"), MALFORMED, ids=[m[4] for m in MALFORMED])
def test_a_malformed_table_is_one_sentence(modelyard, tmp_path, name, content, overrides, code, sentence):
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    done = modelyard("check", f"data.path={name}", *overrides)
    assert (done.code, done.out) == (code, "")
    assert done.sentence.startswith(sentence)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("kind", "name", "advice"),
    [
        ("large_integers", "tax id", "data.kinds={tax id: categorical}"),
        ("leakage", "copy of it", "data.drop=[copy of it]"),
    ],
)
def test_what_the_report_advises_can_be_given_as_it_stands(modelyard, tmp_path, kind, name, advice):
    lines = [f"{row % 2},{2**40 + 3 * row // 2},{row % 2}" for row in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["copy of it,tax id,target", *lines, lines[0]]))
    (advised,) = _findings(modelyard("check", "data.path=t.csv", "--json"), kind)
    assert (advised["column"], advice in advised["message"]) == (name, True)
    again = modelyard("check", "data.path=t.csv", advice, "--json")
    assert (again.code, _findings(again, kind)) == (0, [])


def _findings(done, kind):
    return [finding for finding in done.document["findings"] if finding["kind"] == kind]
