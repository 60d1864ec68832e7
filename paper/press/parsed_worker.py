"""Reads the PDF on its standard input in a process of its own, and prints what was asked for as JSON.

Called as `python -I parsed_worker.py texts|strokes|count BYTES`. It ends with status 3 if the file cannot be read
within its bounds, or if the answer is longer than BYTES. It imports nothing of the runner.
"""

import io
import json
import resource
import sys

MEMORY = 2 << 30  # bytes of address space
CPU_S = 60  # seconds


def said(what: str, pdf: bytes) -> object:
    from pypdf import PdfReader

    pages = PdfReader(io.BytesIO(pdf)).pages
    if what == "texts":
        return [page.extract_text() for page in pages]
    if what == "count":
        return len(pages)
    contents = pages[0].get_contents()
    return [] if contents is None else contents.get_data().decode("latin-1").split()


def main(what: str, most: int) -> int:
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, most),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    try:
        text = json.dumps(said(what, sys.stdin.buffer.read()))
    except (Exception, MemoryError, RecursionError):  # a damaged file may break the parser anywhere
        return 3
    if len(text) > most:
        return 3
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
