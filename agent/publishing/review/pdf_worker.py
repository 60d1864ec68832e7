"""Runs inside the sandbox and prints the words of a PDF, page by page, up to a number of characters.

Called as `python -P pdf_worker.py FILE CHARACTERS`. Exit status 0 with the text on stdout, or 3 with the reason on
stderr. If a malicious file makes the parser hang or take all memory, this happens here. Imports nothing of the runner.
"""

import sys

MAX_PAGES = 100


def words(path: str, most: int) -> str:
    from pypdf import PdfReader

    reader = PdfReader(path)
    if reader.is_encrypted and not reader.decrypt(""):
        raise ValueError("it is encrypted")
    count, found, said = len(reader.pages), [], 0
    for page in reader.pages[:MAX_PAGES]:
        found.append(page.extract_text())
        said += len(found[-1])
        if said > most:
            break
    text = "\n".join(found)
    if not text.strip() or (len(found) == count and len(text) <= most):
        return text
    return f"{text[:most]}\n[not shown: {count - len(found)} of {count} pages, or the end of the last page]\n"


def main(path: str, most: int) -> int:
    with open(path, "rb") as file:
        if not file.read(1024).lstrip().startswith(b"%PDF-"):
            print("it is not a PDF", file=sys.stderr)
            return 3
    try:
        text = words(path, most)
    except Exception as error:  # whatever a damaged or malicious file makes the parser raise
        print(f"it cannot be read ({type(error).__name__}: {str(error)[:200]})", file=sys.stderr)
        return 3
    if not text.strip():
        print("it holds no text (scanned pages?)", file=sys.stderr)
        return 3
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
