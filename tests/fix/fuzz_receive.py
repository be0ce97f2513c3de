"""Fuzzing led by cover: ``python -m tests.fix.fuzz_receive [libFuzzer's options] [CORPUS]``; needs atheris.

What it finds is a file that ``--play FILE`` plays again, without atheris.
"""

import sys
from pathlib import Path

SEEDS = (
    b"\0\n=35=A|98=0|108=30|141=Y\n=35=1|112=x\n@<",
    b"\0\0\1\n=35=A|98=0|108=30\n!\n=35=2|7=1|16=0\n?\n^",
    b"\1\1\n=35=D|11=a|21=1|55=X|54=1|60=20260302-14:30:00|40=1|38=5\n~\n+335=0\n=35=4|123=Y|36=9\n$bye\n=35=5",
    b"\2\2\1\n=35=4|43=Y|123=Y|36=9\n-135=0|43=Y|122=20260302-14:29:59\n=35=4|36=20\n@z\n@z",
    b"\1\0\0\1\n=35=8|37=1|453=2|448=a|447=D|452=1|448=b|95=3|96=a|b|10=000\n8=FIX.4.4|9=5|35=0|10=000",
    b"\1\0\0\1\n=35=|11=a\n~\n=35=\x02\n~",
    b"\1\3\1\0\3\n=35=3|45=2|58=x\n=35=A|98=0|108=0\n-135=0\n^\n=35=5|58=MsgSeqNum too low, expecting 9",
)
WORDS = (
    *(f"35={kind}|" for kind in "0123458ADFGHj"),
    *(
        "34=",
        "36=",
        "7=1|16=0|",
        "123=Y|",
        "43=Y|",
        "97=Y|",
        "98=0|108=30|",
        "108=",
        "112=",
        "122=",
        "141=Y|",
    ),
    *(
        "45=",
        "49=BROKER|",
        "52=",
        "56=FAIRLEAD|",
        "58=",
        "95=3|96=",
        "1137=9|",
        "1128=",
        "789=",
        "553=",
        "554=",
    ),
    *("8=FIX.4.4", "8=FIXT.1.1", "9=", "10=", "115=", "128=", "627=1|628=", "453=1|448=", "78=2|79="),
)


def main() -> None:
    import atheris  # noqa: PLC0415 - absent where there is no wheel, and what follows must be imported under it

    with atheris.instrument_imports(include=["fairlead_server.fix"]):
        from tests.fix.scenario import play  # noqa: PLC0415

    atheris.Setup(sys.argv, play)
    atheris.Fuzz()


def prepare(folder: Path) -> list[str]:
    """The seeds and the dictionary, in files; the options that name them."""
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f'"{word}"\n' for word in WORDS))
    return [f"-dict={words}", f"-artifact_prefix={folder}/", str(corpus)]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--play"]:
        from tests.fix.scenario import play

        play(Path(sys.argv[2]).read_bytes())
    else:
        main()
