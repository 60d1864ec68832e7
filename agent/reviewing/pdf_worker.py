"""Runs inside the sandbox: prints the words of a PDF, page by page, as far as anybody will read.

Called as `python -P pdf_worker.py FILE CHARACTERS`; exit status 3 with the reason on stderr, 0 with text on stdout.
A parser that hangs or bursts on a malicious file does so here. Imports nothing of the runner.
"""

import sys

MAX_PAGES = 100


def words(path, most):
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
    left = count - len(found)
    return "\n".join(found)[:most], left


def main(path, most):
    with open(path, "rb") as file:
        if not file.read(1024).lstrip().startswith(b"%PDF-"):
            print("it is not a PDF", file=sys.stderr)
            return 3
    try:
        text, left = words(path, most)
    except Exception as error:  # whatever a damaged or malicious file makes the parser raise
        print(f"it cannot be read ({type(error).__name__}: {str(error)[:200]})", file=sys.stderr)
        return 3
    if not text.strip():
        print("it holds no text (scanned pages?)", file=sys.stderr)
        return 3
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    if left:
        sys.stdout.buffer.write(f"\n[{left} more pages are not shown]\n".encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
